// Calls as this browser knows them: the server keeps them, so they are there after a reload, and in every tab.
import { queryOptions, useMutation, useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { ask, Problem } from '../api/http'
import { follow } from '../api/stream'
import { hear, holding, tell } from '../api/tabs'
import { ended, type Call, type CallEvent, type Json, type JsonObject } from '../api/wire'

export const callsQuery = queryOptions({
  queryKey: ['calls'],
  queryFn: async ({ signal }) => (await ask<{ calls: Call[] }>('/api/v1/calls', { signal })).calls,
  staleTime: 5_000,
})

export const callQuery = (id: string) =>
  queryOptions({ queryKey: ['call', id], queryFn: ({ signal }) => ask<Call>(`/api/v1/calls/${encodeURIComponent(id)}`, { signal }), staleTime: 5_000 })

/** What an event makes of a call. The event's own call has neither arguments nor a result; those that were known stay. */
export function after(call: Call | undefined, event: CallEvent): Call | undefined {
  if (event.call) {
    const progress = event.call.progress ?? call?.progress
    return { ...(call?.arguments ? { arguments: call.arguments } : {}), ...event.call, ...(progress && !ended(event.call.state) ? { progress } : {}) }
  }
  if (event.progress && call && !ended(call.state)) return { ...call, progress: event.progress }
  return call
}

// How many calls the tabs of one browser follow live; more are looked at now and then.
const places = 3
const lookEvery = 1_500

/** Follows a call until it ends. */
async function watch(client: QueryClient, id: string, signal: AbortSignal, onConnection: (connected: boolean) => void): Promise<void> {
  const path = `/api/v1/calls/${encodeURIComponent(id)}/events`
  for (let place = 0; place < places; place++) {
    const held = await holding(`fastmcp-auth stream ${place}`, signal, false, () =>
      follow({
        path,
        signal,
        onConnection,
        onMessage: ({ event, data }) => {
          if (event !== 'progress' && event !== 'state') return 'enough'
          const happened = JSON.parse(data) as CallEvent
          client.setQueryData<Call>(['call', id], (call) => after(call, happened))
          return happened.call && ended(happened.call.state) ? 'enough' : 'more'
        },
      }),
    )
    if (held === 'held' || signal.aborted) return
  }
  while (!signal.aborted) {
    const call = await client.fetchQuery({ ...callQuery(id), staleTime: 0 })
    if (ended(call.state)) return
    await new Promise((resolve) => setTimeout(resolve, lookEvery))
  }
}

/** A call, live while it runs. connected is false while the stream is being taken up again. */
export function useCall(seen: Call) {
  const client = useQueryClient()
  const [connected, setConnected] = useState(true)
  const { id } = seen
  const over = ended(seen.state)
  const query = useQuery({ ...callQuery(id), ...(over ? {} : { initialData: seen, initialDataUpdatedAt: 0 }) })
  const call = query.data ?? seen
  const live = !ended(call.state)
  useEffect(() => {
    if (!live) return
    const leave = new AbortController()
    watch(client, id, leave.signal, setConnected)
      .catch(() => {})
      .finally(() => {
        if (leave.signal.aborted) return
        void client.invalidateQueries({ queryKey: ['call', id] })
        void client.invalidateQueries({ queryKey: ['calls'] })
      })
    return () => leave.abort()
  }, [client, id, live])
  return { call, connected, looking: query.isFetching, error: query.error, full: query.data !== undefined && query.data.arguments !== undefined }
}

/** Hears from other tabs which calls have begun or are gone. */
export function useCallNews(): void {
  const client = useQueryClient()
  useEffect(
    () =>
      hear((news) => {
        if (news.about === 'calls') void client.invalidateQueries({ queryKey: ['calls'] })
      }),
    [client],
  )
}

const changed = (client: QueryClient) => {
  tell({ about: 'calls' })
  return client.invalidateQueries({ queryKey: ['calls'] })
}

/** Begins a call. The key makes a request that is sent twice, by an impatient hand or a bad line, one call. */
export function useBegin() {
  const client = useQueryClient()
  return useMutation<Call, Problem | Error, { tool: string; args: JsonObject; key: string }>({
    mutationFn: ({ tool, args, key }) => ask<Call>('/api/v1/calls', { method: 'POST', body: { tool, arguments: args }, headers: { 'Idempotency-Key': key } }),
    onSuccess: (call, { args }) => {
      client.setQueryData<Call>(['call', call.id], { ...call, arguments: args })
      client.setQueryData<Call[]>(['calls'], (calls) => [call, ...(calls ?? []).filter((one) => one.id !== call.id)])
      void changed(client)
    },
  })
}

export function useCancel(id: string) {
  return useMutation<void, Problem | Error>({ mutationFn: () => ask(`/api/v1/calls/${encodeURIComponent(id)}`, { method: 'DELETE' }) })
}

export function useForget(id: string) {
  const client = useQueryClient()
  return useMutation<void, Problem | Error>({
    mutationFn: () => ask(`/api/v1/calls/${encodeURIComponent(id)}`, { method: 'DELETE' }),
    onSuccess: () => {
      client.setQueryData<Call[]>(['calls'], (calls) => calls?.filter((call) => call.id !== id))
      client.removeQueries({ queryKey: ['call', id] })
      void changed(client)
    },
  })
}

export type Answer = { action: 'accept'; content?: { [name: string]: Json } } | { action: 'decline' } | { action: 'cancel' }

/** Gives a call what it asks for, and follows it on. */
export function useAnswer(id: string) {
  const client = useQueryClient()
  return useMutation<void, Problem | Error, { [key: string]: Answer }>({
    mutationFn: (answers) => ask(`/api/v1/calls/${encodeURIComponent(id)}/input`, { method: 'POST', body: { input_responses: answers } }),
    onSettled: () => client.invalidateQueries({ queryKey: ['call', id] }),
  })
}
