// Package reqlog holds the words of logged requests: what is kept of a request for a prediction and its answer, and of the truth that
// comes later.
//
// It says which columns a request becomes and which of them are left out because they look like personal data. It is pure: where records
// are kept, and how they are joined, is not its business. Start reading at Record.
package reqlog

import (
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/infer"
	"levada/internal/core/table"
)

// Role says whether a version answered a request or saw a copy of it.
type Role string

// The roles.
const (
	Served Role = "served"
	Shadow Role = "shadow"
)

// Entry is a request that has ended. Nobody changes what it refers to.
type Entry struct {
	Endpoint, Version string
	Role              Role
	// ID joins the truth to it.
	ID      string
	At      time.Time
	Latency time.Duration
	Outcome endpoint.Outcome
	Request *infer.Request
	// Outputs are all that the model gave; none where the request failed.
	Outputs []infer.Tensor
	// Log is how the endpoint logs.
	Log endpoint.Log
}

// Column is what a request has under one name, a value for each of its rows.
type Column struct {
	Name string     `json:"n"`
	Kind table.Kind `json:"k"`
	// Ints hold a Boolean, an Integer, a Time, and the bits of a Number; Texts a Text.
	Ints  []int64  `json:"i,omitempty"`
	Texts []string `json:"t,omitempty"`
	// Missing are the rows without a value.
	Missing []int `json:"z,omitempty"`
}

// Record is an Entry as it is kept: a request with one or more rows.
type Record struct {
	ID      string   `json:"id"`
	At      int64    `json:"at"` // microseconds since 1970
	Version string   `json:"version"`
	Role    Role     `json:"role"`
	Nanos   int64    `json:"ns"` // of latency
	Status  string   `json:"status"`
	Rows    int      `json:"rows"`
	Columns []Column `json:"columns,omitempty"`
	// Prediction is the output that the truth is compared with, empty for the first; KeepPII that personal data is kept. Both are the
	// settings of the endpoint when the request came.
	Prediction string `json:"prediction,omitempty"`
	KeepPII    bool   `json:"pii,omitempty"`
}

// The columns that every record has.
const (
	ColumnID      = "request_id"
	ColumnRow     = "row"
	ColumnTime    = "time"
	ColumnName    = "endpoint"
	ColumnVersion = "version"
	ColumnRole    = "role"
	ColumnLatency = "latency_ms"
	ColumnStatus  = "status"
	// InputPrefix and OutputPrefix stand before the names of inputs and outputs.
	InputPrefix  = "input_"
	OutputPrefix = "output_"
	// ColumnActual and ColumnTruthTime are those of the truth that is joined.
	ColumnActual    = "actual"
	ColumnTruthTime = "truth_time"
)

// Fixed are the columns that every record has, with their kinds.
var Fixed = []struct {
	Name string
	Kind table.Kind
}{
	{ColumnID, table.Text}, {ColumnRow, table.Integer}, {ColumnTime, table.Time}, {ColumnName, table.Text}, {ColumnVersion, table.Text},
	{ColumnRole, table.Text}, {ColumnStatus, table.Text}, {ColumnLatency, table.Number},
}

// LeftOut is a column that is not kept, or not all of its values.
type LeftOut struct {
	Column string    `json:"column"`
	Reason string    `json:"reason" doc:"dropped by the settings; looks like email, phone, ...; or why values cannot be kept"`
	At     time.Time `json:"at" doc:"when it was seen first"`
}

// Query says which records are wanted.
type Query struct {
	Endpoint string
	// Since and Until bound the time of the request; zero is without a bound.
	Since, Until time.Time
	// Version and Role are empty for all.
	Version string
	Role    Role
	// Status is how the requests ended; empty for all.
	Status string
	// Truth joins what became of requests; OnlyTruth leaves out those of which it is not known.
	Truth, OnlyTruth bool
	// Model leaves only inputs and outputs (and the truth), under the names that the model has for them.
	Model bool
	// Limit is the most rows, the newest; 0 is all.
	Limit int
}

// Figures are what is known of the log of an endpoint.
type Figures struct {
	// Logged, Lost and Failed count requests since the server started: kept, left out because the queue was full, and not written.
	Logged int64 `json:"logged" doc:"requests that were written since the server started"`
	Lost   int64 `json:"lost" doc:"requests that were not logged because more came than could be written"`
	Failed int64 `json:"failed" doc:"requests that could not be written"`
	Files  int   `json:"files"`
	Bytes  int64 `json:"bytes" doc:"of the Parquet files and of what is not in one yet"`
	// Directory is where the Parquet files are.
	Directory string     `json:"directory" doc:"where the Parquet files are, on the server"`
	Oldest    *time.Time `json:"oldest,omitempty" doc:"hour of the oldest requests that are kept"`
	Newest    *time.Time `json:"newest,omitempty" doc:"when the newest request came; of those of an earlier server only the hour is known"`
	LeftOut   []LeftOut  `json:"left_out,omitempty"`
}
