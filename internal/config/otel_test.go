package config

import "testing"

// TestTheEnvironmentDecidesAboutTraces by the standard variables of OpenTelemetry.
func TestTheEnvironmentDecidesAboutTraces(t *testing.T) {
	for _, row := range []struct {
		name    string
		environ []string
		want    bool
	}{
		{"no variable", nil, false},
		{"an endpoint", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"}, true},
		{"an endpoint of traces", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4318/v1/traces"}, true},
		{"an endpoint of metrics alone", []string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://127.0.0.1:4318/v1/metrics"}, false},
		{"an exporter", []string{"OTEL_TRACES_EXPORTER=otlp"}, true},
		{"an empty endpoint is none", []string{"OTEL_EXPORTER_OTLP_ENDPOINT="}, false},
		{"a service name alone", []string{"OTEL_SERVICE_NAME=x"}, false},
		{"an endpoint, and no exporter of traces", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER=none"}, false},
		{"an endpoint, and the SDK off", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", "OTEL_SDK_DISABLED=TRUE"}, false},
		{"the protocol that is spoken", []string{"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf"}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := place{environ: row.environ}.load(t)
			if err != nil {
				t.Fatal(err)
			}
			if s.OTel.Traces != row.want {
				t.Errorf("traces are exported: %v", s.OTel.Traces)
			}
		})
	}
}
