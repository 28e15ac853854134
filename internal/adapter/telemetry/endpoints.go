package telemetry

import "github.com/prometheus/client_golang/prometheus"

// EndpointFigures are the figures of a version of an endpoint that serves a model.
type EndpointFigures struct {
	Endpoint, Version string
	// Requests and Shadows count by outcome.
	Requests, Shadows map[string]int64
	Agreed            int64
	// Bounds are upper bounds in seconds; Buckets counts the latencies up to each and, last, the others. They are not cumulative.
	Bounds  []float64
	Buckets []int64
	// Seconds is the sum of the latencies.
	Seconds         float64
	Batches, Rows   int64
	Workers, Queued int
	MemoryBytes     int64
}

// endpointCollector asks for the figures when somebody looks: endpoints come and go.
type endpointCollector struct {
	read func() []EndpointFigures

	requests, shadows, agreed, latency, batches, rows, workers, queued, memory *prometheus.Desc
}

// Endpoints registers the figures of all endpoints. Their names become labels: who makes an endpoint makes series.
func (m *Metrics) Endpoints(read func() []EndpointFigures) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("levada_endpoint_"+name, help, append([]string{"endpoint", "version"}, labels...), nil)
	}
	m.registry.MustRegister(&endpointCollector{
		read:     read,
		requests: desc("requests_total", "Requests for predictions that ended, by how.", "outcome"),
		shadows:  desc("shadow_requests_total", "Copies of requests that a version saw without answering them, by how they ended.", "outcome"),
		agreed:   desc("shadow_agreed_total", "Copies of requests to which a version answered the same as the client got."),
		latency:  desc("request_duration_seconds", "How long requests for predictions took, without those that were refused at once."),
		batches:  desc("batches_total", "Batches that models were given."),
		rows:     desc("batch_rows_total", "Rows in those batches."),
		workers:  desc("workers", "Worker processes that have the model loaded."),
		queued:   desc("requests_waiting", "Requests that wait for a worker."),
		memory:   desc("memory_bytes", "Memory of the worker processes."),
	})
}

// Describe names the metrics.
func (c *endpointCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.requests, c.shadows, c.agreed, c.latency, c.batches, c.rows, c.workers, c.queued, c.memory} {
		ch <- d
	}
}

// Collect sends the figures of this moment.
func (c *endpointCollector) Collect(ch chan<- prometheus.Metric) {
	for _, f := range c.read() {
		counter := func(d *prometheus.Desc, v int64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), append([]string{f.Endpoint, f.Version}, labels...)...)
		}
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, f.Endpoint, f.Version)
		}
		for outcome, n := range f.Requests {
			counter(c.requests, n, outcome)
		}
		for outcome, n := range f.Shadows {
			counter(c.shadows, n, outcome)
		}
		counter(c.agreed, f.Agreed)
		counter(c.batches, f.Batches)
		counter(c.rows, f.Rows)
		gauge(c.workers, float64(f.Workers))
		gauge(c.queued, float64(f.Queued))
		gauge(c.memory, float64(f.MemoryBytes))
		ch <- histogram(c.latency, f.Bounds, f.Buckets, f.Seconds, f.Endpoint, f.Version)
	}
}

// LogFigures are how many requests of an endpoint were logged, by what became of them.
type LogFigures struct {
	Endpoint string
	Requests map[string]int64
}

// logCollector asks for the figures when somebody looks.
type logCollector struct {
	read     func() []LogFigures
	requests *prometheus.Desc
}

// RequestLog registers the figures of the log of requests.
func (m *Metrics) RequestLog(read func() []LogFigures) {
	m.registry.MustRegister(&logCollector{read, prometheus.NewDesc("levada_endpoint_logged_requests_total",
		"Requests for predictions that were to be logged: written, lost because more came than could be written, or failed to be.", []string{"endpoint", "outcome"}, nil)})
}

// Describe names the metric.
func (c *logCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.requests }

// Collect sends the figures of this moment.
func (c *logCollector) Collect(ch chan<- prometheus.Metric) {
	for _, f := range c.read() {
		for outcome, n := range f.Requests {
			ch <- prometheus.MustNewConstMetric(c.requests, prometheus.CounterValue, float64(n), f.Endpoint, outcome)
		}
	}
}
