package config

import "strings"

// OTel is what the standard variables of OpenTelemetry (OTEL_…) say of this program. The exporters read the same
// variables by themselves, where to and how; here stands whether there is anything to do.
type OTel struct {
	Traces bool // spans of each request are exported
}

// The variables that decide. An empty value is none. OpenTelemetry specification, SDK environment variables.
const (
	otelDisabled       = "OTEL_SDK_DISABLED"
	otelTraces         = "OTEL_TRACES_EXPORTER"
	otelEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	otelTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	otelProtocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	otelTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
	otelLogsProtocol   = "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"
)

// checkOTel decides whether traces are exported: where an exporter or an endpoint is named, and nothing says otherwise.
// What this program does not speak is a fault: it would be said, and nothing would come of it.
func (l *loader) checkOTel(s *Settings) {
	env := l.environ()
	value := func(name string) string { return env[name].value }
	disabled := strings.EqualFold(value(otelDisabled), "true")
	if disabled && s.Audit.OTel {
		l.blame("audit.otel", "sends events by OpenTelemetry, but %s is true; leave one of them out", otelDisabled)
	}
	if disabled {
		return
	}
	switch value(otelTraces) {
	case "otlp":
		s.OTel.Traces = true
	case "":
		s.OTel.Traces = value(otelEndpoint) != "" || value(otelTracesEndpoint) != ""
	case "none":
	default:
		l.faults.add(otelTraces, "", "%s is neither otlp nor none, which is all that is spoken here", show(value(otelTraces)))
	}
	speaks := func(names ...string) {
		for _, name := range names {
			if p := value(name); p != "" {
				if p != "http/protobuf" {
					l.faults.add(name, "", "%s is not http/protobuf, which is all that is spoken here; collectors take it on port 4318", show(p))
				}
				return
			}
		}
	}
	if s.OTel.Traces {
		speaks(otelTracesProtocol, otelProtocol)
	}
	if s.Audit.OTel {
		speaks(otelLogsProtocol, otelProtocol)
	}
}
