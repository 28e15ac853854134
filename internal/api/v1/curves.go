package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/fault"
	"levada/internal/tracking"
)

// maxCurves is how many curves one answer may hold.
const maxCurves = 100

type curvesInput struct {
	RunID  []string `query:"run_id,explode" required:"true" nullable:"false" minItems:"1" maxItems:"100"`
	Key    []string `query:"key,explode" required:"true" nullable:"false" minItems:"1" maxItems:"100" doc:"names of metrics"`
	Points int      `query:"points" minimum:"10" maximum:"5000" default:"500" doc:"most points of a curve"`
}

// Curve holds points of a metric in the order of steps: the first and last, and of each stretch between them the lowest and
// the highest. The three lists are equally long.
type Curve struct {
	RunID  string     `json:"run_id"`
	Key    string     `json:"key"`
	Steps  []int64    `json:"steps" nullable:"false"`
	TimeMS []int64    `json:"time_ms" nullable:"false"`
	Values []*float64 `json:"values" nullable:"false" doc:"null where a value is not a number"`
	Total  int64      `json:"total" doc:"number of points that the metric has in all"`
}

type curveList struct {
	Curves []Curve `json:"curves" nullable:"false" doc:"by run, then by metric; metrics that a run does not have are left out"`
}

type curvesOutput struct{ Body curveList }

func (h *handler) registerCurves(api huma.API, tags []string) {
	huma.Register(api, huma.Operation{OperationID: "get-curves", Method: http.MethodGet, Path: Prefix + "/curves",
		Summary: "Get the curves of metrics, thinned out so that lowest and highest values stay", Tags: tags, Errors: []int{400}}, h.curves)
}

func (h *handler) curves(ctx context.Context, in *curvesInput) (*curvesOutput, error) {
	const doing = "get curves"
	runs, keys := unique(in.RunID), unique(in.Key)
	if n := len(runs) * len(keys); n > maxCurves {
		return nil, h.problem(ctx, doing, fault.Invalidf(
			"%d runs with %d metrics are %d curves; at most %d are answered at once: ask for fewer metrics or runs", len(runs), len(keys), n, maxCurves))
	}
	curves, err := h.Tracking.Curves(ctx, runs, keys, in.Points)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	out := curveList{Curves: make([]Curve, len(curves))}
	for i, c := range curves {
		out.Curves[i] = wireCurve(c)
	}
	return &curvesOutput{Body: out}, nil
}

func wireCurve(c tracking.Curve) Curve {
	n := len(c.Points)
	out := Curve{RunID: c.RunID, Key: c.Key, Total: c.Total, Steps: make([]int64, n), TimeMS: make([]int64, n), Values: make([]*float64, n)}
	for i, p := range c.Points {
		out.Steps[i], out.TimeMS[i], out.Values[i] = p.Step, p.Time, finite(p.Value)
	}
	return out
}
