// Package telemetry counts what the server does and shows it to Prometheus.
//
// It watches from outside: the store is wrapped, requests pass through, everything else is asked when somebody looks. So the
// packages that do the work know nothing of metrics. Names follow Prometheus' conventions: base units, _total for what only
// grows. Start reading at New.
package telemetry

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Reading is a value that is asked for when somebody looks.
type Reading struct {
	// Name is the metric's name; those that end in _total only grow.
	Name, Help string
	// Labels are fixed, such as {"mode": "warm"}.
	Labels map[string]string
	Value  func() float64
}

// Metrics are the metrics of one server.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	log      eventLog
}

// New returns metrics that say which version runs.
func New(version, goVersion string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "levada_http_request_duration_seconds", Help: "How long requests took, by door, method and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"door", "method", "code"}),
		log: newEventLog(),
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.requests)
	m.log.register(m.registry)
	m.Read(Reading{
		Name: "levada_build_info", Help: "Always 1; the labels say what runs.", Labels: map[string]string{"version": version, "goversion": goVersion},
		Value: func() float64 { return 1 },
	})
	return m
}

// Read registers readings. Two of the same name differ in their labels.
func (m *Metrics) Read(readings ...Reading) {
	for _, r := range readings {
		if strings.HasSuffix(r.Name, "_total") {
			m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: r.Name, Help: r.Help, ConstLabels: r.Labels}, r.Value))
			continue
		}
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: r.Name, Help: r.Help, ConstLabels: r.Labels}, r.Value))
	}
}

// Series are gauges of one name that differ in labels which are known only when somebody looks.
type Series struct {
	Name, Help string
	Labels     []string
	// Read calls emit for each; values are those of Labels. A set of values may come once.
	Read func(emit func(value float64, values ...string))
}

// Watch registers series.
func (m *Metrics) Watch(all ...Series) {
	for _, s := range all {
		m.registry.MustRegister(series{s, prometheus.NewDesc(s.Name, s.Help, s.Labels, nil)})
	}
}

// series is a collector.
type series struct {
	Series
	desc *prometheus.Desc
}

// Describe sends the one description.
func (s series) Describe(to chan<- *prometheus.Desc) { to <- s.desc }

// Collect sends the values of this moment.
func (s series) Collect(to chan<- prometheus.Metric) {
	s.Read(func(value float64, values ...string) {
		for i, v := range values {
			values[i] = strings.ToValidUTF8(v, "�")
		}
		if metric, err := prometheus.NewConstMetric(s.desc, prometheus.GaugeValue, value, values...); err == nil {
			to <- metric
		}
	})
}

// Handler serves the metrics in Prometheus' text formats.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
