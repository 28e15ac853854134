package telemetry

import "github.com/prometheus/client_golang/prometheus"

// GraphFigures are the figures of an inference graph, or of a part of it.
type GraphFigures struct {
	// Node is empty for the graph as a whole, Step for a node as a whole.
	Graph, Node, Step string
	// Requests counts by outcome.
	Requests map[string]int64
	// Bounds are upper bounds in seconds; Buckets counts the latencies up to each and, last, the others. They are not cumulative.
	Bounds  []float64
	Buckets []int64
	// Seconds is the sum of the latencies.
	Seconds float64
}

// graphCollector asks for the figures when somebody looks: graphs come and go. Steps have no histogram, which would make too many series.
type graphCollector struct {
	read                      func() []GraphFigures
	requests, latency         *prometheus.Desc
	nodeRequests, nodeLatency *prometheus.Desc
	stepRequests, stepSeconds *prometheus.Desc
}

// Graphs registers the figures of all inference graphs. Their names become labels: who makes a graph makes series.
func (m *Metrics) Graphs(read func() []GraphFigures) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("levada_graph_"+name, help, append([]string{"graph"}, labels...), nil)
	}
	m.registry.MustRegister(&graphCollector{
		read:         read,
		requests:     desc("requests_total", "Requests to inference graphs that ended, by how.", "outcome"),
		latency:      desc("request_duration_seconds", "How long requests to inference graphs took."),
		nodeRequests: desc("node_requests_total", "Requests that nodes of inference graphs had, by how they ended.", "node", "outcome"),
		nodeLatency:  desc("node_duration_seconds", "How long nodes of inference graphs took.", "node"),
		stepRequests: desc("step_requests_total", "Requests that took a step of an inference graph, by how the step ended.", "node", "step", "outcome"),
		stepSeconds:  desc("step_seconds_total", "Time that steps of inference graphs took, together.", "node", "step"),
	})
}

// Describe names the metrics.
func (c *graphCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.requests, c.latency, c.nodeRequests, c.nodeLatency, c.stepRequests, c.stepSeconds} {
		ch <- d
	}
}

// Collect sends the figures of this moment.
func (c *graphCollector) Collect(ch chan<- prometheus.Metric) {
	for _, f := range c.read() {
		labels := []string{f.Graph}
		requests, latency := c.requests, c.latency
		switch {
		case f.Step != "":
			labels, requests, latency = append(labels, f.Node, f.Step), c.stepRequests, nil
		case f.Node != "":
			labels, requests, latency = append(labels, f.Node), c.nodeRequests, c.nodeLatency
		}
		for outcome, n := range f.Requests {
			ch <- prometheus.MustNewConstMetric(requests, prometheus.CounterValue, float64(n), append(labels[:len(labels):len(labels)], outcome)...)
		}
		if latency == nil {
			ch <- prometheus.MustNewConstMetric(c.stepSeconds, prometheus.CounterValue, f.Seconds, labels...)
			continue
		}
		ch <- histogram(latency, f.Bounds, f.Buckets, f.Seconds, labels...)
	}
}

// histogram makes a metric of buckets that are not cumulative, the last of which has what is above all bounds.
func histogram(d *prometheus.Desc, bounds []float64, counts []int64, seconds float64, labels ...string) prometheus.Metric {
	buckets, sum := make(map[float64]uint64, len(bounds)), uint64(0)
	for i, n := range counts {
		if sum += uint64(n); i < len(bounds) {
			buckets[bounds[i]] = sum
		}
	}
	return prometheus.MustNewConstHistogram(d, sum, seconds, buckets, labels...)
}
