package inference_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"levada/internal/api/invocations"
	"levada/internal/api/oip"
	"levada/internal/api/predict/predicttest"
)

// BenchmarkDoors measures what a request costs in a door: reading it, fitting it to a signature where there is one, and writing the
// answer. The service gives back what came (echo) or adds two columns (sum), so nearly nothing of it is the service's.
func BenchmarkDoors(b *testing.B) {
	s := predicttest.New()
	rest := oip.New(oip.Options{Service: s, Logger: slog.New(slog.DiscardHandler)})
	mlflow := invocations.New(invocations.Options{Service: s, Logger: slog.New(slog.DiscardHandler)})
	for _, size := range []struct{ rows, columns int }{{1, 4}, {100, 20}} {
		values := make([]float64, size.rows*size.columns)
		for i := range values {
			values[i] = float64(i%977) / 7
		}
		name := fmt.Sprintf("%dx%d", size.rows, size.columns)
		run(b, "OIP JSON/"+name, rest, "/v2/models/echo/infer", []byte(oipJSON(values, size.rows, size.columns)), nil)
		head, body := oipBinary(values, size.rows, size.columns)
		run(b, "OIP binary/"+name, rest, "/v2/models/echo/infer", body, http.Header{"Inference-Header-Content-Length": {fmt.Sprint(head)}})
		run(b, "OIP gRPC/"+name, rest, "/inference.GRPCInferenceService/ModelInfer", grpcFrame(values, size.rows, size.columns), http.Header{"Content-Type": {"application/grpc"}})
		run(b, "MLflow split/"+name, mlflow, "/endpoints/echo/invocations", []byte(split(values, size.rows, size.columns)), http.Header{"Content-Type": {"application/json"}})
	}
	run(b, "OIP JSON, signature/1x2", rest, "/v2/models/sum/infer", []byte(`{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":[1.5]},{"name":"b","shape":[1],"datatype":"FP64","data":[2.5]}]}`), nil)
	run(b, "MLflow split, signature/1x2", mlflow, "/endpoints/sum/invocations", []byte(`{"dataframe_split":{"columns":["a","b"],"data":[[1.5,2]]}}`), http.Header{"Content-Type": {"application/json"}})
}

// discard is a response that goes nowhere.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

func run(b *testing.B, name string, h http.Handler, path string, body []byte, header http.Header) {
	b.Run(name, func(b *testing.B) {
		r := httptest.NewRequest(http.MethodPost, path, nil)
		r.ContentLength = int64(len(body))
		if header != nil {
			r.Header = header
		}
		reader := bytes.NewReader(body)
		r.Body = io.NopCloser(reader)
		w := &discard{header: http.Header{}, status: http.StatusOK}
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		before := processor(b)
		for b.Loop() {
			reader.Reset(body)
			clear(w.header)
			h.ServeHTTP(w, r)
		}
		b.ReportMetric(float64(processor(b)-before)/float64(b.N), "cpu-ns/op")
		if w.status != http.StatusOK || w.header.Get("Grpc-Status") != "" && w.header.Get("Grpc-Status") != "0" {
			b.Fatalf("status %d %v", w.status, w.header)
		}
	})
}

// processor is the time that this process has had of the processor, which says more than the clock on a machine that others use too.
func processor(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func oipJSON(values []float64, rows, columns int) string {
	text := strings.ReplaceAll(fmt.Sprint(values), " ", ",")
	return fmt.Sprintf(`{"inputs":[{"name":"x","shape":[%d,%d],"datatype":"FP64","data":%s}]}`, rows, columns, text)
}

func littleEndian(values []float64) (out []byte) {
	for _, v := range values {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
	}
	return out
}

func oipBinary(values []float64, rows, columns int) (int, []byte) {
	head := fmt.Sprintf(`{"inputs":[{"name":"x","shape":[%d,%d],"datatype":"FP64","parameters":{"binary_data_size":%d}}],"parameters":{"binary_data_output":true}}`, rows, columns, 8*len(values))
	return len(head), append([]byte(head), littleEndian(values)...)
}

func grpcFrame(values []float64, rows, columns int) []byte {
	add := func(b []byte, n protowire.Number, v []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
	}
	tensor := add(add(add(nil, 1, []byte("x")), 2, []byte("FP64")), 3, protowire.AppendVarint(protowire.AppendVarint(nil, uint64(rows)), uint64(columns)))
	message := add(add(add(nil, 1, []byte("echo")), 5, tensor), 7, littleEndian(values))
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

func split(values []float64, rows, columns int) string {
	var b strings.Builder
	b.WriteString(`{"dataframe_split":{"columns":[`)
	for i := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q", fmt.Sprintf("column_%d", i))
	}
	b.WriteString(`],"data":[`)
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strings.ReplaceAll(fmt.Sprint(values[r*columns:(r+1)*columns]), " ", ","))
	}
	b.WriteString(`]}}`)
	return b.String()
}
