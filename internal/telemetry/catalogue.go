package telemetry

// Metric describes one metric: a row of the table that the instruments, the reference page and the dashboards are held
// against.
type Metric struct {
	Name   string
	Kind   string // "counter", "gauge" or "histogram"
	Help   string
	Labels []Label
}

// Label is a label of a metric, and which values it may have.
type Label struct{ Name, Values string }

// The names of the metrics.
const (
	buildInfo         = "fastmcp_auth_build_info"
	httpRequests      = "fastmcp_auth_http_requests_total"
	rpcErrors         = "fastmcp_auth_rpc_errors_total"
	authentications   = "fastmcp_auth_authentications_total"
	policyDecisions   = "fastmcp_auth_policy_decisions_total"
	shadowDifferences = "fastmcp_auth_policy_shadow_differences_total"
	policyReloads     = "fastmcp_auth_policy_reloads_total"
	policyRefused     = "fastmcp_auth_policy_refused"
	calls             = "fastmcp_auth_calls_total"
	callDuration      = "fastmcp_auth_call_duration_seconds"
	callsRunning      = "fastmcp_auth_calls_running"
	sessions          = "fastmcp_auth_sessions"
	streams           = "fastmcp_auth_streams"
	subscriptions     = "fastmcp_auth_subscriptions"
	limitsHit         = "fastmcp_auth_limits_hit_total"
	cacheLookups      = "fastmcp_auth_token_cache_lookups_total"
	cacheEntries      = "fastmcp_auth_token_cache_entries"
	keyFetches        = "fastmcp_auth_key_fetches_total"
	keys              = "fastmcp_auth_keys"
	keysAge           = "fastmcp_auth_keys_age_seconds"
	auditEvents       = "fastmcp_auth_audit_events_total"
	auditSinkFailing  = "fastmcp_auth_audit_sink_failing"
)

var (
	toolLabel   = Label{"tool", "the name of a tool, the URI of a resource, or `(unknown)` for what does not exist"}
	issuerLabel = Label{"issuer", "an issuer of the settings"}
	policyLabel = Label{"policy", "`policy` or `shadow`"}
	sinkLabel   = Label{"sink", "`file`, `syslog`, `stdout` or `otel`"}
)

// catalogue is every metric of our own. The values of each label are bounded by the program or its settings; nothing
// that a stranger sends becomes one.
var catalogue = []Metric{
	{buildInfo, "gauge", "1, with what is running.", []Label{{"version", "of the program"}, {"go_version", "that built it"}}},
	{httpRequests, "counter", "Requests answered, by route and status.",
		[]Label{{"route", "`mcp`, `metadata`, `healthz`, `readyz`, `front` or `other`"}, {"status", "the HTTP status; `aborted` where the connection was cut"}}},
	{rpcErrors, "counter", "JSON-RPC errors answered, whatever their HTTP status.",
		[]Label{{"code", "a code of JSON-RPC or MCP such as `-32601`, or `other`"}}},
	{authentications, "counter", "Tokens looked at, by result.",
		[]Label{{"reason", "`ok`, or why it was refused, as the record has it: `missing`, `expired`, `audience`, `unavailable` and so on"}}},
	{policyDecisions, "counter", "Decisions about calls and reads.",
		[]Label{toolLabel, {"decision", "`allow`, `deny` or `needs_scope`"}}},
	{shadowDifferences, "counter", "Decisions in which the shadow policy would have decided otherwise.", nil},
	{policyReloads, "counter", "Policy files that were read again because they had changed, or because somebody asked.",
		[]Label{policyLabel, {"result", "`ok`, or `refused` where the file is wrong and the one in use stays"}}},
	{policyRefused, "gauge", "1 while a policy file is wrong and an older one is in use.", []Label{policyLabel}},
	{calls, "counter", "Calls and reads that ended, by outcome.",
		[]Label{toolLabel, {"outcome", "as the record has it: `ok`, `tool_error`, `asked`, `bad_arguments`, `client_incapable`, `too_large`, " +
			"`busy`, `timeout`, `cancelled`, `shutting_down`, `not_recorded` or `failed`"}}},
	{callDuration, "histogram", "How long calls and reads took, from the decision to the result.", []Label{toolLabel}},
	{callsRunning, "gauge", "Calls and reads that run now.", nil},
	{sessions, "gauge", "Sessions of older protocol versions that are open.", nil},
	{streams, "gauge", "Event streams that are open.", nil},
	{subscriptions, "gauge", "Subscriptions to changes that are open.", nil},
	{limitsHit, "counter", "What was refused or ended because of a limit.",
		[]Label{{"limit", "`caller_rate`, `address_rate`, `calls`, `call_timeout`, `result`, `body`, `sessions` or `sign_ins`"}}},
	{cacheLookups, "counter", "Tokens looked up among those verified before.", []Label{{"result", "`hit` or `miss`"}}},
	{cacheEntries, "gauge", "Verified tokens that are remembered.", nil},
	{keyFetches, "counter", "Fetches of an identity provider's keys.", []Label{issuerLabel, {"result", "`ok` or `failed`"}}},
	{keys, "gauge", "Keys at hand; 0 before the first fetch.", []Label{issuerLabel}},
	{keysAge, "gauge", "Seconds since the keys were fetched; absent before the first fetch.", []Label{issuerLabel}},
	{auditEvents, "counter", "Audit events, by sink and whether it kept them.",
		[]Label{sinkLabel, {"result", "`written` or `failed`"}}},
	{auditSinkFailing, "gauge", "1 while the last event could not be written to the sink.", []Label{sinkLabel}},
}

// Catalogue returns every metric of our own, in the order of the reference page. Those of the Go runtime and of the
// process stand beside them under the names the Prometheus client gives them: go_… and process_….
func Catalogue() []Metric { return catalogue }
