package v1

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/fault"
	"levada/internal/core/reqlog"
	"levada/internal/serving"
)

// Requests is the part of the serving service that this door opens for logged requests.
type Requests interface {
	Logged(ctx context.Context, name string) (reqlog.Figures, error)
	ExportRequests(ctx context.Context, q reqlog.Query, format string) (func(ctx context.Context, w io.Writer) error, error)
	ListRequests(ctx context.Context, q reqlog.Query, after *reqlog.Position) (reqlog.LoggedPage, error)
	PutTruth(ctx context.Context, name string, r io.Reader, format string) (reqlog.Taken, error)
	Quality(ctx context.Context, name string, q serving.QualityQuery) (serving.QualityReport, error)
}

// maxTruthBytes bounds the truth that is handed in at once.
const maxTruthBytes = 64 << 20

// RequestFilter says which logged requests.
type RequestFilter struct {
	Since   time.Time `query:"since" doc:"only requests from this time on"`
	Until   time.Time `query:"until" doc:"only requests before this time"`
	Version string    `query:"version" maxLength:"40" doc:"only those of this version"`
	Role    string    `query:"role" enum:"served,shadow" doc:"only requests that were answered, or only copies that shadows saw"`
	Status  string    `query:"status" enum:"ok,rejected,failed,timeout,shed" doc:"only those that ended so"`
}

func (f RequestFilter) query(name string) reqlog.Query {
	return reqlog.Query{Endpoint: name, Since: f.Since, Until: f.Until, Version: f.Version, Role: reqlog.Role(f.Role), Status: f.Status}
}

type exportRequestsInput struct {
	EndpointName
	RequestFilter
	Format  string `query:"format" enum:"jsonl,parquet" default:"jsonl"`
	Truth   string `query:"truth" enum:"join,only" doc:"join: with what became of requests, where it is known; only: those of which it is"`
	Columns string `query:"columns" enum:"all,model" default:"all" doc:"model: only inputs and outputs, and the truth, under the names that the model has for them"`
	Limit   int    `query:"limit" minimum:"0" doc:"most rows, the newest; 0 is all"`
}

type listRequestsInput struct {
	EndpointName
	RequestFilter
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"most rows of the page; one of long rows has fewer"`
	Token string `query:"page_token" maxLength:"1000" doc:"next_page_token of the page before"`
}

type listRequestsOutput struct{ Body reqlog.LoggedPage }

type loggedOutput struct{ Body reqlog.Figures }

type truthInput struct {
	EndpointName
	ContentType string `header:"Content-Type" doc:"application/jsonl, text/csv or application/vnd.apache.parquet"`
	RawBody     []byte `contentType:"application/octet-stream"`
}

type truthOutput struct{ Body reqlog.Taken }

type qualityInput struct {
	EndpointName
	Since  time.Time `query:"since" doc:"only requests from this time on; the last 30 days by default"`
	Until  time.Time `query:"until" doc:"only requests before this time"`
	Window string    `query:"window" maxLength:"40" doc:"a duration such as 1h or 24h: one measurement for each; one for all without it"`
}

type qualityOutput struct{ Body serving.QualityReport }

func (h *handler) registerRequests(api huma.API) {
	tags := []string{"requests"}
	const one = Prefix + "/endpoints/{name}"
	stream := map[string]*huma.MediaType{}
	for _, kind := range []string{"application/jsonl", parquetType} {
		stream[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	huma.Register(api, huma.Operation{OperationID: "export-requests", Method: http.MethodGet, Path: one + "/requests",
		Summary: "Read logged requests and answers, the oldest first", Tags: tags, Errors: []int{400, 404},
		Responses: map[string]*huma.Response{"200": {Description: "a row for each row of a request", Content: stream}}}, h.exportRequests)
	huma.Register(api, huma.Operation{OperationID: "list-requests", Method: http.MethodGet, Path: one + "/requests/list",
		Summary: "List logged requests with what became of them, the newest first", Tags: tags, Errors: []int{400, 404},
		Description: "A page may be empty though there is a next one: of what is rare two million rows are looked through at a time. looked_back_to says how far."}, h.listRequests)
	huma.Register(api, huma.Operation{OperationID: "get-request-log", Method: http.MethodGet, Path: one + "/requests/log",
		Summary: "Get how much is logged, where, and what is left out", Tags: tags, Errors: []int{404}}, h.requestLog)
	huma.Register(api, huma.Operation{OperationID: "put-truth", Method: http.MethodPost, Path: one + "/truth", MaxBodyBytes: maxTruthBytes,
		Summary: "Say what became of requests, by their ids", Tags: tags, Errors: []int{400, 404, 413},
		Description: "JSON lines, CSV or Parquet with the columns request_id and actual, and where they are wanted row (of a request with several, from 0) " +
			"and time. A later value for the same row replaces the one before; the same may be sent again. It may come before its request is logged, or long after."}, h.putTruth)
	huma.Register(api, huma.Operation{OperationID: "get-quality", Method: http.MethodGet, Path: one + "/quality",
		Summary: "Get how good predictions were, as far as the truth is known", Tags: tags, Errors: []int{400, 404, 413}}, h.quality)
}

const parquetType = "application/vnd.apache.parquet"

func (h *handler) exportRequests(ctx context.Context, in *exportRequestsInput) (*huma.StreamResponse, error) {
	q := in.query(in.Name)
	q.Truth, q.OnlyTruth, q.Model, q.Limit = in.Truth != "", in.Truth == "only", in.Columns == "model", in.Limit
	write, err := h.Requests.ExportRequests(ctx, q, in.Format)
	if err != nil {
		return nil, h.problem(ctx, "export requests", err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		kind, ending := "application/jsonl", ".jsonl"
		if in.Format == "parquet" {
			kind, ending = parquetType, ".parquet"
		}
		hc.SetHeader("Content-Type", kind)
		hc.SetHeader("X-Content-Type-Options", "nosniff")
		hc.SetHeader("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": in.Name + ending}))
		if err := write(hc.Context(), hc.BodyWriter()); err != nil && hc.Context().Err() == nil {
			h.Log.Error("an export of requests broke off", "endpoint", in.Name, "error", err)
			panic(http.ErrAbortHandler) // the client must not take what it has for all
		}
	}}, nil
}

func (h *handler) listRequests(ctx context.Context, in *listRequestsInput) (*listRequestsOutput, error) {
	after, err := reqlog.ParsePosition(in.Token)
	if err != nil {
		return nil, h.problem(ctx, "list requests", err)
	}
	q := in.query(in.Name)
	q.Limit = in.Limit
	page, err := h.Requests.ListRequests(ctx, q, after)
	if err != nil {
		return nil, h.problem(ctx, "list requests", err)
	}
	return &listRequestsOutput{Body: page}, nil
}

func (h *handler) requestLog(ctx context.Context, in *EndpointName) (*loggedOutput, error) {
	f, err := h.Requests.Logged(ctx, in.Name)
	if err != nil {
		return nil, h.problem(ctx, "get the log of requests", err)
	}
	return &loggedOutput{Body: f}, nil
}

// truthFormats are the formats of the truth by media type.
var truthFormats = map[string]string{
	"application/jsonl": "jsonl", "application/x-ndjson": "jsonl", "application/json-lines": "jsonl", "text/csv": "csv",
	parquetType: "parquet", "application/x-parquet": "parquet",
}

func (h *handler) putTruth(ctx context.Context, in *truthInput) (*truthOutput, error) {
	media, _, err := mime.ParseMediaType(in.ContentType)
	format := truthFormats[media]
	switch {
	case format == "" && (in.ContentType == "" || media == "application/x-www-form-urlencoded" || media == "application/octet-stream"):
		format = "jsonl" // what curl sends where nothing is said
		if bytes.HasPrefix(in.RawBody, []byte("PAR1")) {
			format = "parquet"
		}
	case format == "" || err != nil:
		return nil, h.problem(ctx, "put truth", fault.Invalidf("the Content-Type %q is none of the truth: want application/jsonl, text/csv or %s",
			fault.Shorten(in.ContentType, 100), parquetType))
	}
	taken, err := h.Requests.PutTruth(ctx, in.Name, bytes.NewReader(in.RawBody), format)
	if err != nil {
		return nil, h.problem(ctx, "put truth", err)
	}
	return &truthOutput{Body: taken}, nil
}

func (h *handler) quality(ctx context.Context, in *qualityInput) (*qualityOutput, error) {
	q := serving.QualityQuery{Since: in.Since, Until: in.Until}
	if in.Window != "" {
		var err error
		if q.Window, err = time.ParseDuration(in.Window); err != nil || q.Window <= 0 {
			return nil, h.problem(ctx, "quality", fault.Invalidf("window %q: want a duration such as 1h or 24h", in.Window))
		}
	}
	r, err := h.Requests.Quality(ctx, in.Name, q)
	if err != nil {
		return nil, h.problem(ctx, "quality", err)
	}
	return &qualityOutput{Body: r}, nil
}
