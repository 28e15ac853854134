package mlflow

import (
	"encoding/json"
	"math"
	"strconv"

	"unicode/utf8"

	"levada/internal/core/track"
	"levada/internal/tracking"
)

// workspace is the one that servers without workspaces name.
const workspace = "default"

type experimentWire struct {
	ID               string `json:"experiment_id"`
	Name             string `json:"name"`
	ArtifactLocation string `json:"artifact_location"`
	Stage            string `json:"lifecycle_stage"`
	UpdatedMS        int64  `json:"last_update_time"`
	CreatedMS        int64  `json:"creation_time"`
	Tags             []kv   `json:"tags,omitempty"`
	Workspace        string `json:"workspace"`
}

type kv struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func stage(deleted bool) string {
	if deleted {
		return "deleted"
	}
	return "active"
}

func kvs(list []track.KV) []kv {
	out := make([]kv, len(list))
	for i, t := range list {
		out[i] = kv(t)
	}
	return out
}

func wireExperiment(e track.Experiment) experimentWire {
	return experimentWire{ID: e.ID, Name: e.Name, ArtifactLocation: e.ArtifactLocation, Stage: stage(e.Deleted),
		UpdatedMS: e.UpdatedAt.UnixMilli(), CreatedMS: e.CreatedAt.UnixMilli(), Tags: kvs(e.Tags), Workspace: workspace}
}

// value is a number as protobuf's JSON writes it: what JSON has no number for is a string.
type value float64

// MarshalJSON writes the shortest form that gives the same number back.
func (v value) MarshalJSON() ([]byte, error) { return appendValue(nil, float64(v)), nil }

func appendValue(out []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(out, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(out, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(out, `"-Infinity"`...)
	}
	start := len(out)
	out = strconv.AppendFloat(out, v, 'g', -1, 64)
	for _, c := range out[start:] {
		if c == '.' || c == 'e' {
			return out
		}
	}
	return append(out, ".0"...)
}

type metricWire struct {
	Key           string `json:"key"`
	Value         value  `json:"value"`
	Time          int64  `json:"timestamp"`
	Step          int64  `json:"step"`
	DatasetName   string `json:"dataset_name,omitempty"`
	DatasetDigest string `json:"dataset_digest,omitempty"`
	ModelID       string `json:"model_id,omitempty"`
	RunID         string `json:"run_id,omitempty"`
}

func wireMetric(key string, p track.Point) metricWire {
	return metricWire{Key: key, Value: value(p.Value), Time: p.Time, Step: p.Step}
}

// runWire writes a run. It is written by hand because a search answers with thousands of them.
type runWire struct {
	tracking.Tracked
	// outputs says whether the outputs are there even when there are none, as they are where a stored run is read.
	outputs bool
}

// MarshalJSON writes the run as part of another answer.
func (r runWire) MarshalJSON() ([]byte, error) { return r.appendJSON(nil), nil }

func (r runWire) appendJSON(out []byte) []byte {
	out = append(out, `{"info":`...)
	out = appendInfo(out, r.Run)
	out = append(out, `,"data":{`...)
	first := true
	section := func(name string) {
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(append(append(out, '"'), name...), `":[`...)
	}
	if len(r.Metrics) > 0 {
		section("metrics")
		for i, m := range r.Metrics {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendMetric(out, m.Key, m.Latest)
		}
		out = append(out, ']')
	}
	for _, s := range []struct {
		name string
		list []track.KV
	}{{"params", r.Params}, {"tags", r.Tags}} {
		if len(s.list) > 0 {
			section(s.name)
			out = appendPairs(out, s.list)
			out = append(out, ']')
		}
	}
	out = append(out, `},"inputs":`...)
	out = r.appendInputs(out)
	if r.outputs {
		out = append(out, `,"outputs":`...)
		out = r.appendOutputs(out)
	}
	return append(out, '}')
}

func (r runWire) appendInputs(out []byte) []byte {
	if len(r.Datasets)+len(r.ModelInputs) == 0 {
		return append(out, "{}"...)
	}
	type datasetWire struct {
		Name       string  `json:"name"`
		Digest     string  `json:"digest"`
		SourceType string  `json:"source_type"`
		Source     string  `json:"source"`
		Schema     *string `json:"schema,omitempty"`
		Profile    *string `json:"profile,omitempty"`
	}
	type inputWire struct {
		Tags    []kv        `json:"tags,omitempty"`
		Dataset datasetWire `json:"dataset"`
	}
	type modelWire struct {
		ID string `json:"model_id"`
	}
	var wire struct {
		Datasets []inputWire `json:"dataset_inputs,omitempty"`
		Models   []modelWire `json:"model_inputs,omitempty"`
	}
	for _, d := range r.Datasets {
		wire.Datasets = append(wire.Datasets, inputWire{Tags: kvs(d.Tags), Dataset: datasetWire(d.Dataset)})
	}
	for _, id := range r.ModelInputs {
		wire.Models = append(wire.Models, modelWire{id})
	}
	return appendMarshalled(out, wire)
}

func (r runWire) appendOutputs(out []byte) []byte {
	if len(r.Outputs) == 0 {
		return append(out, "{}"...)
	}
	var wire struct {
		Models []track.ModelOutput `json:"model_outputs"`
	}
	wire.Models = r.Outputs
	return appendMarshalled(out, wire)
}

// appendMarshalled appends what cannot fail to be encoded.
func appendMarshalled(out []byte, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return append(out, "{}"...)
	}
	return append(out, b...)
}

func appendInfo(out []byte, r *track.Run) []byte {
	field := func(name, v string) {
		out = append(append(append(out, '"'), name...), `":`...)
		out = appendString(out, v)
		out = append(out, ',')
	}
	out = append(out, '{')
	field("run_uuid", r.ID)
	field("experiment_id", r.ExperimentID)
	field("run_name", r.Name)
	field("user_id", r.UserID)
	field("status", string(r.Status))
	out = append(out, `"start_time":`...)
	out = strconv.AppendInt(out, r.StartMS, 10)
	if r.EndMS != nil && *r.EndMS != 0 { // MLflow takes 0 for none
		out = append(out, `,"end_time":`...)
		out = strconv.AppendInt(out, *r.EndMS, 10)
	}
	out = append(out, ',')
	field("artifact_uri", r.ArtifactURI)
	field("lifecycle_stage", stage(r.Deleted))
	out = append(out, `"run_id":`...)
	out = appendString(out, r.ID)
	return append(out, '}')
}

func appendMetric(out []byte, key string, p track.Point) []byte {
	out = append(out, `{"key":`...)
	out = appendString(out, key)
	out = append(out, `,"value":`...)
	out = appendValue(out, p.Value)
	out = append(out, `,"timestamp":`...)
	out = strconv.AppendInt(out, p.Time, 10)
	out = append(out, `,"step":`...)
	out = strconv.AppendInt(out, p.Step, 10)
	return append(out, '}')
}

func appendPairs(out []byte, list []track.KV) []byte {
	for i, p := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"key":`...)
		out = appendString(out, p.Key)
		out = append(out, `,"value":`...)
		out = appendString(out, p.Value)
		out = append(out, '}')
	}
	return out
}

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string. Bytes that are no UTF-8 become the replacement character.
func appendString(out []byte, s string) []byte {
	out = append(out, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			out = append(append(out, s[start:i]...), `\ufffd`...)
			i++
			start = i
			continue
		}
		out = append(out, s[start:i]...)
		out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		i++
		start = i
	}
	return append(append(out, s[start:]...), '"')
}

type fileWire struct {
	Path string `json:"path"`
	Dir  bool   `json:"is_dir"`
	Size *int64 `json:"file_size,omitempty"`
}

func wireFiles(files []track.File) []fileWire {
	out := make([]fileWire, len(files))
	for i, f := range files {
		out[i] = fileWire{Path: f.Path, Dir: f.Dir}
		if f.Size > 0 { // MLflow leaves the size of an empty file out
			out[i].Size = &files[i].Size
		}
	}
	return out
}

type modelInfo struct {
	ID               string `json:"model_id"`
	ExperimentID     string `json:"experiment_id"`
	Name             string `json:"name"`
	CreatedMS        int64  `json:"creation_timestamp_ms"`
	UpdatedMS        int64  `json:"last_updated_timestamp_ms"`
	ArtifactLocation string `json:"artifact_uri"`
	Status           string `json:"status"`
	Type             string `json:"model_type"`
	SourceRunID      string `json:"source_run_id"`
	Tags             []kv   `json:"tags,omitempty"`
}

type loggedWire struct {
	Info modelInfo `json:"info"`
	Data struct {
		Params  []kv         `json:"params,omitempty"`
		Metrics []metricWire `json:"metrics,omitempty"`
	} `json:"data"`
}

var modelStatus = map[track.ModelStatus]string{
	track.ModelUnspecified: "LOGGED_MODEL_STATUS_UNSPECIFIED", track.ModelPending: "LOGGED_MODEL_PENDING",
	track.ModelReady: "LOGGED_MODEL_READY", track.ModelUploadFailed: "LOGGED_MODEL_UPLOAD_FAILED",
}

func wireLogged(m track.LoggedModel) loggedWire {
	var w loggedWire
	w.Info = modelInfo{ID: m.ID, ExperimentID: m.ExperimentID, Name: m.Name, CreatedMS: m.CreatedUS / 1000, UpdatedMS: m.UpdatedUS / 1000,
		ArtifactLocation: m.ArtifactLocation, Status: modelStatus[m.Status], Type: m.Type, SourceRunID: m.SourceRunID, Tags: kvs(m.Tags)}
	w.Data.Params = kvs(m.Params)
	for _, x := range m.Metrics {
		wire := wireMetric(x.Key, x.Point)
		wire.DatasetName, wire.DatasetDigest, wire.ModelID, wire.RunID = x.DatasetName, x.DatasetDigest, x.ModelID, x.RunID
		w.Data.Metrics = append(w.Data.Metrics, wire)
	}
	return w
}
