package serving_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"levada/internal/api/oip"
	"levada/internal/core/endpoint"
	"levada/internal/core/traffic"
)

// BenchmarkGateway measures what the gateway adds to a prediction: a client asks over HTTP, one request after the other, for a model that
// takes no time; and asks a handler that does nothing but read the same request and write the same answer. The difference is the
// gateway's: door, traffic, queue, batch, answer and what is counted.
func BenchmarkGateway(b *testing.B) {
	const question = `{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","data":[5.1,3.5,1.4,0.2]}]}`
	s := open(b, &models{}, nil)
	s.put(traffic.All("2"), endpoint.Settings{}, "2")
	gateway := oip.New(oip.Options{Service: s, Logger: slog.New(slog.DiscardHandler)})
	asked := httptest.NewRecorder()
	gateway.ServeHTTP(asked, httptest.NewRequest(http.MethodPost, "/v2/models/e/infer", bytes.NewReader([]byte(question))))
	if asked.Code != http.StatusOK {
		b.Fatal(asked.Code, asked.Body)
	}
	nothing := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // it was sent by this test
		_, _ = w.Write(asked.Body.Bytes()) // the client would notice
	}
	for name, h := range map[string]http.Handler{"the gateway": gateway, "a handler that does nothing": http.HandlerFunc(nothing)} {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewServer(h)
			defer server.Close()
			var times []time.Duration
			for b.Loop() {
				began := time.Now()
				resp, err := server.Client().Post(server.URL+"/v2/models/e/infer", "application/json", bytes.NewReader([]byte(question)))
				if err != nil {
					b.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close() // it was read to its end
				if err != nil || len(got) != asked.Body.Len() {
					b.Fatalf("%s: %v", got, err)
				}
				times = append(times, time.Since(began))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2])/1e6, "p50-ms")
			b.ReportMetric(float64(times[len(times)*99/100])/1e6, "p99-ms")
		})
	}
}
