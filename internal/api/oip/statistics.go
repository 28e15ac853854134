package oip

import (
	"context"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"levada/internal/api/predict"
	"levada/internal/core/infer"
)

// The extension for statistics is Triton's (triton-inference-server/server, docs/protocol/extension_statistics.md). What the input and
// output of a model take is part of its execution here, so compute_input and compute_output are absent; there is no cache.

// statistics answers below /stats.
func (d *door) statistics(ctx context.Context, name, version string) ([]byte, error) {
	list, err := d.Service.Statistics(ctx, name, version)
	if err != nil {
		return nil, err
	}
	b := []byte(`{"model_stats":[`)
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = predict.AppendString(append(b, `{"name":`...), s.Name)
		b = predict.AppendString(append(b, `,"version":`...), s.Version)
		b = strconv.AppendInt(append(b, `,"last_inference":`...), milliseconds(s), 10)
		b = strconv.AppendInt(append(b, `,"inference_count":`...), s.Inferences, 10)
		b = strconv.AppendInt(append(b, `,"execution_count":`...), s.Executions, 10)
		b = append(b, `,"inference_stats":{`...)
		for j, spent := range spents(s) {
			if j > 0 {
				b = append(b, ',')
			}
			b = append(predict.AppendString(b, spent.name), `:{"count":`...)
			b = strconv.AppendInt(b, spent.Count, 10)
			b = append(strconv.AppendInt(append(b, `,"ns":`...), int64(spent.Time), 10), '}')
		}
		b = append(b, `},"batch_stats":[],"memory_usage":[{"type":"CPU","id":0,"byte_size":`...)
		b = append(strconv.AppendInt(b, s.MemoryBytes, 10), "}]}"...)
	}
	return append(b, "]}"...), nil
}

// namedSpent is a part of the statistics by its name and its field number in InferStatistics.
type namedSpent struct {
	name   string
	number protowire.Number
	infer.Spent
}

func spents(s infer.Statistics) []namedSpent {
	return []namedSpent{{"success", 1, s.Success}, {"fail", 2, s.Fail}, {"queue", 3, s.Queue}, {"compute_infer", 5, s.Compute}}
}

// milliseconds is the time of the last request since 1970; 0 for none.
func milliseconds(s infer.Statistics) int64 {
	if s.Last.IsZero() {
		return 0
	}
	return s.Last.UnixMilli()
}

func (d *door) modelStatistics(ctx context.Context, _ *http.Request, message []byte) ([]byte, error) {
	name, version, err := decodeModel(message)
	if err != nil {
		return nil, err
	}
	list, err := d.Service.Statistics(ctx, name, version)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, s := range list {
		m := appendText(appendText(nil, 1, s.Name), 2, s.Version)
		m = appendUint(m, 3, uint64(milliseconds(s)))
		m = appendUint(appendUint(m, 4, uint64(s.Inferences)), 5, uint64(s.Executions))
		var stats []byte
		for _, spent := range spents(s) {
			stats = appendMessage(stats, spent.number, appendUint(appendUint(nil, 1, uint64(spent.Count)), 2, uint64(spent.Time)))
		}
		m = appendMessage(m, 6, stats)
		m = appendMessage(m, 8, appendUint(appendText(nil, 1, "CPU"), 3, uint64(s.MemoryBytes)))
		out = appendMessage(out, 1, m)
	}
	return out, nil
}
