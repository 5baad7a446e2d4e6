// What there is to call and to read.
import { queryOptions } from '@tanstack/react-query'
import { ask } from './http'
import type { Contents, Resource, Tool } from './wire'

export const toolsQuery = queryOptions({
  queryKey: ['tools'],
  queryFn: async ({ signal }) => (await ask<{ tools: Tool[] }>('/api/v1/tools', { signal })).tools,
  staleTime: 30_000,
})

export const resourcesQuery = queryOptions({
  queryKey: ['resources'],
  queryFn: async ({ signal }) => (await ask<{ resources: Resource[] }>('/api/v1/resources', { signal })).resources,
  staleTime: 30_000,
})

export const contentsQuery = (uri: string) =>
  queryOptions({
    queryKey: ['contents', uri],
    queryFn: async ({ signal }) => (await ask<{ contents: Contents[] }>(`/api/v1/resources/read?${new URLSearchParams({ uri })}`, { signal })).contents,
    staleTime: 0,
  })
