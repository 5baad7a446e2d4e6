package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// State is what others count by themselves and are asked for when somebody reads the metrics.
type State struct {
	Running, Sessions, Streams, Subscriptions int

	CacheHits, CacheMisses uint64
	CacheEntries           int

	Keys     []KeyState
	Sinks    []SinkState
	Policies []PolicyState
}

// KeyState is what is known of an issuer's keys.
type KeyState struct {
	Issuer          string
	Fetched, Failed uint64 // fetches
	Keys            int
	Age             time.Duration // of the keys; meaningless where there are none
}

// SinkState is what became of the events of one sink.
type SinkState struct {
	Sink            string
	Written, Failed uint64
	Failing         bool
}

// PolicyState is what became of a policy file.
type PolicyState struct {
	Policy      string
	Used, Wrong uint64 // reloads
	RefusedNow  bool   // the file is wrong, and an older one in use
}

// Read has read called whenever somebody reads the metrics.
func (m *Metrics) Read(read func() State) {
	if m == nil {
		return
	}
	r := reader{read: read, desc: map[string]*prometheus.Desc{}}
	for _, name := range []string{callsRunning, sessions, streams, subscriptions, cacheLookups, cacheEntries, keyFetches, keys, keysAge,
		auditEvents, auditSinkFailing, policyReloads, policyRefused} {
		r.desc[name] = prometheus.NewDesc(name, row(name).Help, names(row(name)), nil)
	}
	m.registry.MustRegister(r)
}

// reader is a collector of what is read.
type reader struct {
	read func() State
	desc map[string]*prometheus.Desc
}

// Describe sends the descriptions.
func (r reader) Describe(to chan<- *prometheus.Desc) {
	for _, d := range r.desc {
		to <- d
	}
}

// Collect sends what is so now.
func (r reader) Collect(to chan<- prometheus.Metric) {
	send := func(kind prometheus.ValueType) func(name string, value float64, labels ...string) {
		return func(name string, value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(r.desc[name], kind, value, labels...)
		}
	}
	gauge, counter := send(prometheus.GaugeValue), send(prometheus.CounterValue)
	s := r.read()
	gauge(callsRunning, float64(s.Running))
	gauge(sessions, float64(s.Sessions))
	gauge(streams, float64(s.Streams))
	gauge(subscriptions, float64(s.Subscriptions))
	counter(cacheLookups, float64(s.CacheHits), "hit")
	counter(cacheLookups, float64(s.CacheMisses), "miss")
	gauge(cacheEntries, float64(s.CacheEntries))
	for _, k := range s.Keys {
		counter(keyFetches, float64(k.Fetched), k.Issuer, "ok")
		counter(keyFetches, float64(k.Failed), k.Issuer, "failed")
		gauge(keys, float64(k.Keys), k.Issuer)
		if k.Keys > 0 {
			gauge(keysAge, k.Age.Seconds(), k.Issuer)
		}
	}
	for _, k := range s.Sinks {
		counter(auditEvents, float64(k.Written), k.Sink, "written")
		counter(auditEvents, float64(k.Failed), k.Sink, "failed")
		gauge(auditSinkFailing, claim(k.Failing), k.Sink)
	}
	for _, p := range s.Policies {
		counter(policyReloads, float64(p.Used), p.Policy, "ok")
		counter(policyReloads, float64(p.Wrong), p.Policy, "refused")
		gauge(policyRefused, claim(p.RefusedNow), p.Policy)
	}
}

func claim(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}
