// A client made from the OpenAPI document calls a tool, begins a long call, and reads a refusal. What it prints is read by
// the test that runs it.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { env: Record<string, string | undefined> };
const [base, token] = [process.env.API_URL!, process.env.API_TOKEN!];
const api = createClient<paths>({ baseUrl: base, headers: { Authorization: `Bearer ${token}` } });

const reversed = await api.POST("/api/v1/tools/reverse_tool", { body: { query: "abc" } });
if (!reversed.data) throw new Error(JSON.stringify(reversed.error));
const text: string = reversed.data.reversed_query;

const listed = await api.GET("/api/v1/tools");
const names: string[] = (listed.data?.tools ?? []).map((t) => t.name);

const begun = await api.POST("/api/v1/calls", { body: { tool: "random_number_tool", arguments: { min: 7, max: 7 } } });
if (!begun.data) throw new Error(JSON.stringify(begun.error));
let call: components["schemas"]["Call"] = begun.data;
while (call.state === "running") {
  const looked = await api.GET("/api/v1/calls/{id}", { params: { path: { id: call.id } } });
  if (!looked.data) throw new Error(JSON.stringify(looked.error));
  call = looked.data;
}

const refused = await api.POST("/api/v1/tools/reverse_tool", { body: { query: 1 as unknown as string } });
const problem: components["schemas"]["Problem"] | undefined = refused.error;

console.log(JSON.stringify({ text, names, state: call.state, code: problem?.code, field: problem?.errors?.[0]?.field }));
