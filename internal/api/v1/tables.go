package v1

import (
	"context"
	"io"
	"net/http"
	"path"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/table/profile"
)

// Tables reads tables out of files.
type Tables interface {
	Summarize(ctx context.Context, f io.ReadSeeker, name string, rows int) (profile.Summary, error)
}

// Table is the beginning of a table and what its columns are like.
type Table struct {
	Format       string         `json:"format" enum:"parquet,csv,jsonl"`
	Columns      []TableColumn  `json:"columns" nullable:"false" doc:"at most 500; those of a Parquet file that lie inside others have names with dots"`
	ColumnsTotal int            `json:"columns_total"`
	Rows         [][]*string    `json:"rows" nullable:"false" doc:"the first rows as they are read by people; null is no value; a row may be shorter than there are columns"`
	RowsTotal    int64          `json:"rows_total" doc:"-1 when only reading the whole file would tell"`
	RowsRead     int64          `json:"rows_read" doc:"rows that the profiles were made of"`
	RowsBad      int64          `json:"rows_bad,omitempty" doc:"rows that are none and were left out"`
	Findings     []TableFinding `json:"findings,omitempty" nullable:"false" doc:"what was read in another way than it is written, or left out"`
	Cut          string         `json:"cut,omitempty" doc:"what was read when it was not everything: the first 100000 rows"`
}

// TableColumn is a column with its profile.
type TableColumn struct {
	Name      string          `json:"name"`
	Declared  string          `json:"declared,omitempty" doc:"the type in the words of the format"`
	Type      string          `json:"type" enum:"empty,boolean,integer,number,text,time,date,binary,list,mixed" doc:"what the values are"`
	Nulls     int64           `json:"nulls"`
	Distinct  int64           `json:"distinct" doc:"different values"`
	Estimated bool            `json:"distinct_estimated,omitempty" doc:"there are so many that they were not counted one by one; the usual error is 0.8 %"`
	Min       string          `json:"min,omitempty"`
	Max       string          `json:"max,omitempty"`
	Mean      *float64        `json:"mean,omitempty"`
	Top       []TableValue    `json:"top" nullable:"false" doc:"the most frequent values, at most 5; none where no value is there twice"`
	Bounded   bool            `json:"top_bounded,omitempty" doc:"there were too many values to count all; a count may be a little too low"`
	Histogram *TableHistogram `json:"histogram,omitempty"`
}

// TableValue is a value and how often it is there.
type TableValue struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// TableFinding is something about a table, or a column of it, that who uses it should know.
type TableFinding struct {
	Column  string `json:"column,omitempty"`
	What    string `json:"what"`
	Count   int64  `json:"count,omitempty" doc:"how often it is so"`
	Example string `json:"example,omitempty"`
}

// TableHistogram has bars of one width from the lowest value to the highest.
type TableHistogram struct {
	Counts  []int64 `json:"counts" nullable:"false"`
	Sampled bool    `json:"sampled,omitempty" doc:"the counts are estimates"`
}

type tableOutput struct{ Body Table }

// TableRequest says which file, and how much of it.
type TableRequest struct {
	Path  string `query:"path" doc:"file of a directory"`
	Limit int    `query:"limit" minimum:"0" maximum:"500" default:"50" doc:"rows to show"`
}

type artifactTableInput struct {
	ArtifactRef
	TableRequest
}

type trackedTableInput struct {
	TrackedID
	TableRequest
}

type versionTableInput struct {
	VersionNumber
	TableRequest
}

type mlmodelOutput struct{ Body model.Card }

// Document says which file.
type Document struct {
	Path string `query:"path" doc:"the MLmodel file of a directory"`
}

type artifactMLmodelInput struct {
	ArtifactRef
	Document
}

type trackedMLmodelInput struct {
	TrackedID
	Document
}

type versionMLmodelInput struct {
	VersionNumber
	Document
}

func (h *handler) registerTables(api huma.API) {
	register := func(id, path, summary, tag string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: Prefix + path, Summary: summary, Tags: []string{tag}, Errors: []int{400, 404, 503}}
	}
	const table = "Read a table: its first rows, and what its columns are like"
	huma.Register(api, register("get-artifact-table", "/artifacts/{id}/table", table, "artifacts"), h.artifactTable)
	huma.Register(api, register("get-tracked-table", "/tracked-runs/{id}/table", table, "tracked runs"), h.trackedTable)
	huma.Register(api, register("get-model-table", "/models/{name}/versions/{version}/table", table, "models"), h.versionTable)
	const card = "Read an MLmodel file: flavours, signature, requirements"
	huma.Register(api, register("get-artifact-mlmodel", "/artifacts/{id}/mlmodel", card, "artifacts"), h.artifactMLmodel)
	huma.Register(api, register("get-tracked-mlmodel", "/tracked-runs/{id}/mlmodel", card, "tracked runs"), h.trackedMLmodel)
	huma.Register(api, register("get-model-mlmodel", "/models/{name}/versions/{version}/mlmodel", card, "models"), h.versionMLmodel)
}

// openArtifact opens a file of an artifact and returns its name.
func (h *handler) openArtifact(ctx context.Context, id, file string) (io.ReadSeekCloser, string, error) {
	a, err := h.Service.GetArtifact(ctx, id)
	if err != nil {
		return nil, "", err
	}
	f, err := h.Service.OpenArtifact(ctx, id, file)
	return f, fileName(a, file), err
}

func (h *handler) openTracked(ctx context.Context, id, file string) (io.ReadSeekCloser, string, error) {
	f, _, err := h.Tracking.OpenRunFile(ctx, id, file)
	return f, path.Base(file), err
}

func (h *handler) openVersion(ctx context.Context, name, version, file string) (io.ReadSeekCloser, string, error) {
	v, err := h.Registry.Version(ctx, name, version)
	if err != nil {
		return nil, "", err
	}
	f, _, err := h.Tracking.OpenBelow(ctx, v.Location, file)
	return f, path.Base(file), err
}

func (h *handler) artifactTable(ctx context.Context, in *artifactTableInput) (*tableOutput, error) {
	f, name, err := h.openArtifact(ctx, in.ID, in.Path)
	return h.sendTable(ctx, f, name, in.Limit, err)
}

func (h *handler) trackedTable(ctx context.Context, in *trackedTableInput) (*tableOutput, error) {
	f, name, err := h.openTracked(ctx, in.ID, in.Path)
	return h.sendTable(ctx, f, name, in.Limit, err)
}

func (h *handler) versionTable(ctx context.Context, in *versionTableInput) (*tableOutput, error) {
	f, name, err := h.openVersion(ctx, in.Name, in.Version, in.Path)
	return h.sendTable(ctx, f, name, in.Limit, err)
}

func (h *handler) sendTable(ctx context.Context, f io.ReadSeekCloser, name string, limit int, err error) (*tableOutput, error) {
	const doing = "read a table"
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	defer f.Close()
	s, err := h.Tables.Summarize(ctx, f, name, limit)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return &tableOutput{Body: toTable(s)}, nil
}

func toTable(s profile.Summary) Table {
	out := Table{Format: s.Format, Columns: make([]TableColumn, len(s.Columns)), ColumnsTotal: s.Extent.Columns, Rows: orEmpty(s.Rows),
		RowsTotal: s.Extent.Total, RowsRead: s.Extent.Rows, RowsBad: s.Extent.Bad, Cut: s.Extent.Cut}
	for i, row := range out.Rows {
		out.Rows[i] = orEmpty(row)
	}
	for i, p := range s.Columns {
		column := TableColumn{Name: p.Name, Declared: p.Declared, Type: p.Type, Nulls: p.Nulls, Distinct: p.Distinct, Estimated: p.Estimated,
			Min: p.Min, Max: p.Max, Mean: p.Mean, Top: make([]TableValue, min(len(p.Top), shownTop)), Bounded: p.Bounded}
		for k := range column.Top {
			column.Top[k] = TableValue(p.Top[k])
		}
		if p.Histogram != nil {
			column.Histogram = &TableHistogram{Counts: p.Histogram.Counts, Sampled: p.Histogram.Estimated}
		}
		out.Columns[i] = column
	}
	for _, f := range s.Findings {
		out.Findings = append(out.Findings, TableFinding{Column: f.Column, What: f.What, Count: f.Count, Example: f.Example})
	}
	return out
}

// shownTop is how many of the most frequent values are sent.
const shownTop = 5

// maxMLmodel bounds an MLmodel file; those of models with large signatures have some hundred KiB.
const maxMLmodel = 4 << 20

func (h *handler) artifactMLmodel(ctx context.Context, in *artifactMLmodelInput) (*mlmodelOutput, error) {
	f, name, err := h.openArtifact(ctx, in.ID, in.Path)
	return h.sendMLmodel(ctx, f, name, err)
}

func (h *handler) trackedMLmodel(ctx context.Context, in *trackedMLmodelInput) (*mlmodelOutput, error) {
	f, name, err := h.openTracked(ctx, in.ID, in.Path)
	return h.sendMLmodel(ctx, f, name, err)
}

func (h *handler) versionMLmodel(ctx context.Context, in *versionMLmodelInput) (*mlmodelOutput, error) {
	f, name, err := h.openVersion(ctx, in.Name, in.Version, in.Path)
	return h.sendMLmodel(ctx, f, name, err)
}

func (h *handler) sendMLmodel(ctx context.Context, f io.ReadSeekCloser, name string, err error) (*mlmodelOutput, error) {
	const doing = "read an MLmodel file"
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	defer f.Close()
	card, err := readMLmodel(f, name)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return &mlmodelOutput{Body: card}, nil
}

// readMLmodel reads a file MLmodel. A file that is none, or too long, is a fault of the kind Invalid.
func readMLmodel(f io.Reader, name string) (model.Card, error) {
	text, err := io.ReadAll(io.LimitReader(f, maxMLmodel+1))
	if err != nil {
		return model.Card{}, err
	}
	if len(text) > maxMLmodel {
		return model.Card{}, fault.Invalidf("read %q: an MLmodel file has at most %d MiB", name, maxMLmodel>>20)
	}
	return model.ParseCard(text)
}
