package client

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/run"
)

// Info describes a server.
type Info struct {
	Version   string    `json:"version"`
	Commit    string    `json:"commit"`
	Go        string    `json:"go"`
	DataDir   string    `json:"data_dir"`
	StartedAt time.Time `json:"started_at"`
	URL       string    `json:"url"`
}

// Submission asks for a run of a specification.
type Submission struct {
	Spec        string         `json:"spec"`
	Parameters  map[string]any `json:"parameters,omitempty"`
	DisplayName string         `json:"display_name,omitempty"`
	Experiment  string         `json:"experiment,omitempty"`
	Cache       bool           `json:"cache"`
}

// RunQuery narrows a list of runs. Empty fields do not.
type RunQuery struct {
	States     []string
	Text       string
	Pipeline   string
	Experiment string // id
	IDPrefix   string
	Archived   string // "true", "false" or "any"
	PageSize   int
	PageToken  string
}

// RunList is a page of runs.
type RunList struct {
	Runs          []run.Run `json:"runs"`
	NextPageToken string    `json:"next_page_token,omitempty"`
	Total         int       `json:"total"`
}

// Environment is one managed Python environment.
type Environment struct {
	Key          string     `json:"key"`
	Requirements []string   `json:"requirements"`
	Python       string     `json:"python,omitempty"`
	Digest       string     `json:"digest,omitempty"`
	Path         string     `json:"path,omitempty"`
	SizeBytes    int64      `json:"size_bytes"`
	State        string     `json:"state"`
	CreatedAt    time.Time  `json:"created_at"`
	LastUsedAt   *time.Time `json:"last_used_at,omitempty"`
}

// Info asks what the server is.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var out Info
	return out, c.call(ctx, http.MethodGet, "/info", nil, nil, &out)
}

// Submit starts a run.
func (c *Client) Submit(ctx context.Context, s Submission) (run.Run, error) {
	var out run.Run
	return out, c.call(ctx, http.MethodPost, "/runs", nil, s, &out)
}

// Runs lists runs, newest first.
func (c *Client) Runs(ctx context.Context, q RunQuery) (RunList, error) {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("state", strings.Join(q.States, ","))
	set("q", q.Text)
	set("pipeline", q.Pipeline)
	set("experiment_id", q.Experiment)
	set("id_prefix", q.IDPrefix)
	set("archived", q.Archived)
	set("page_token", q.PageToken)
	if q.PageSize > 0 {
		v.Set("page_size", strconv.Itoa(q.PageSize))
	}
	var out RunList
	return out, c.call(ctx, http.MethodGet, "/runs", v, nil, &out)
}

// Cancel asks a run to stop.
func (c *Client) Cancel(ctx context.Context, id string) (run.Run, error) {
	var out run.Run
	return out, c.call(ctx, http.MethodPost, "/runs/"+url.PathEscape(id)+"/cancel", nil, nil, &out)
}

// Retry lets a run that failed or was cancelled go on with what did not succeed.
func (c *Client) Retry(ctx context.Context, id string) (run.Run, error) {
	var out run.Run
	return out, c.call(ctx, http.MethodPost, "/runs/"+url.PathEscape(id)+"/retry", nil, nil, &out)
}

// ScheduleList is a page of recurring runs.
type ScheduleList struct {
	RecurringRuns []catalog.RecurringRun `json:"recurring_runs"`
	Total         int                    `json:"total"`
}

// Schedules lists recurring runs, newest first, by a part of their name or the beginning of their id.
func (c *Client) Schedules(ctx context.Context, text, idPrefix string, limit int) (ScheduleList, error) {
	v := url.Values{"page_size": {strconv.Itoa(limit)}}
	if text != "" {
		v.Set("q", text)
	}
	if idPrefix != "" {
		v.Set("id_prefix", idPrefix)
	}
	var out ScheduleList
	return out, c.call(ctx, http.MethodGet, "/recurring-runs", v, nil, &out)
}

// SwitchSchedule lets a recurring run start runs, or stops it.
func (c *Client) SwitchSchedule(ctx context.Context, id string, enabled bool) (catalog.RecurringRun, error) {
	verb := "disable"
	if enabled {
		verb = "enable"
	}
	var out catalog.RecurringRun
	return out, c.call(ctx, http.MethodPost, "/recurring-runs/"+url.PathEscape(id)+"/"+verb, nil, nil, &out)
}

// DeleteSchedule deletes a recurring run.
func (c *Client) DeleteSchedule(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/recurring-runs/"+url.PathEscape(id), nil, nil, nil)
}

// Tasks lists the tasks of a run in the order in which they were made.
func (c *Client) Tasks(ctx context.Context, runID string) ([]run.Task, error) {
	var out struct {
		Tasks []run.Task `json:"tasks"`
	}
	return out.Tasks, c.call(ctx, http.MethodGet, "/runs/"+url.PathEscape(runID)+"/tasks", nil, nil, &out)
}

// Task gets a task by id, path or unambiguous name.
func (c *Client) Task(ctx context.Context, runID, task string) (run.Task, error) {
	var out run.Task
	return out, c.call(ctx, http.MethodGet, "/runs/"+url.PathEscape(runID)+"/tasks/"+url.PathEscape(task), nil, nil, &out)
}

// Artifacts lists what the tasks of a run gave, or the newest artifacts of all runs. A limit of 0 means all.
func (c *Client) Artifacts(ctx context.Context, runID string, limit int) ([]run.Artifact, error) {
	path, v := "/artifacts", url.Values{"page_size": {"200"}}
	if runID != "" {
		path, v = "/runs/"+url.PathEscape(runID)+"/artifacts", url.Values{} // they come on one page
	}
	var all []run.Artifact
	for {
		var page struct {
			Artifacts     []run.Artifact `json:"artifacts"`
			NextPageToken string         `json:"next_page_token"`
		}
		if err := c.call(ctx, http.MethodGet, path, v, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Artifacts...)
		if limit > 0 && len(all) >= limit {
			return all[:limit], nil
		}
		if page.NextPageToken == "" {
			return all, nil
		}
		v.Set("page_token", page.NextPageToken)
	}
}

// Artifact gets an artifact.
func (c *Client) Artifact(ctx context.Context, id string) (run.Artifact, error) {
	var out run.Artifact
	return out, c.call(ctx, http.MethodGet, "/artifacts/"+url.PathEscape(id), nil, nil, &out)
}

// Content opens an artifact: the bytes of a file, or a tar stream of a directory, which isTar tells.
func (c *Client) Content(ctx context.Context, id string) (content io.ReadCloser, isTar bool, err error) {
	resp, err := c.do(ctx, http.MethodGet, "/artifacts/"+url.PathEscape(id)+"/content", nil, nil, "*/*")
	if err != nil {
		return nil, false, err
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // a malformed type is not a tar stream
	return resp.Body, kind == "application/x-tar", nil
}

// Environments lists the managed Python environments.
func (c *Client) Environments(ctx context.Context) ([]Environment, error) {
	var out struct {
		Environments []Environment `json:"environments"`
	}
	return out.Environments, c.call(ctx, http.MethodGet, "/environments", nil, nil, &out)
}
