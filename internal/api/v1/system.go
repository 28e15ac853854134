package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/endpoint"
	"levada/internal/core/run"
)

// System tells how the server is. Reading it is cheap: what takes long to find out is measured beside, now and then.
type System interface {
	// System says how the server is now, and what was measured last.
	System(ctx context.Context) SystemStatus
	// MeasureDisk has the disk measured again, unless that is being done.
	MeasureDisk()
}

// SystemStatus is how the server is.
type SystemStatus struct {
	Info     Info          `json:"info"`
	Checks   []HealthCheck `json:"checks" nullable:"false"`
	Queue    QueueStatus   `json:"queue"`
	Steps    StepStatus    `json:"steps" doc:"since the server was started"`
	Database DatabaseUse   `json:"database"`
	Disk     DiskStatus    `json:"disk"`
	// Workers are the versions of endpoints with the processes that serve them.
	Workers []ModelWorkers `json:"workers" nullable:"false" doc:"versions of endpoints with the processes that serve them, by endpoint"`
	// Environments are the managed Python environments.
	Environments []Environment `json:"environments" nullable:"false"`
}

// ModelWorkers are the workers of a version of an endpoint.
type ModelWorkers struct {
	Endpoint    string         `json:"endpoint"`
	Model       string         `json:"model,omitempty" doc:"the registered model; absent for what another server serves"`
	Version     string         `json:"version"`
	State       endpoint.State `json:"state" enum:"BUILDING,LOADING,READY,IDLE,FAILED,DRAINING"`
	Runtime     string         `json:"runtime,omitempty" doc:"what runs it; absent before it was loaded"`
	Workers     int            `json:"workers" doc:"processes that have the model loaded; of another server, requests that it may have at once"`
	MemoryBytes int64          `json:"memory_bytes"`
	Waiting     int            `json:"waiting" doc:"requests in the queue"`
	Restarts    int64          `json:"restarts" doc:"workers that were lost and replaced, since the server has started"`
	Error       string         `json:"error,omitempty" doc:"why it could not be loaded"`
}

// HealthCheck is something that can be in order or not.
type HealthCheck struct {
	Name   string `json:"name"`
	State  string `json:"state" enum:"ok,warning,failed"`
	Detail string `json:"detail" doc:"what was found, and what to do where it is not in order"`
}

// QueueStatus is what is done at this moment.
type QueueStatus struct {
	RunsActive   int `json:"runs_active"`
	StepsRunning int `json:"steps_running"`
	StepsWaiting int `json:"steps_waiting" doc:"steps that wait for room on this machine"`
	MaxParallel  int `json:"max_parallel" doc:"most steps that run at once"`
	WarmHosts    int `json:"warm_hosts" doc:"processes that have the imports of steps done and fork for each"`
}

// StepStatus counts steps.
type StepStatus struct {
	Warm      int64 `json:"warm" doc:"started by forking a warm host"`
	Executed  int64 `json:"executed" doc:"started as programs"`
	Fallbacks int64 `json:"fallbacks" doc:"started as programs because their warm host could not be used"`
	Adopted   int64 `json:"adopted" doc:"started by an earlier server and taken over"`
	Lost      int64 `json:"lost" doc:"whose result nobody knows; they were started again"`
}

// DatabaseUse is what the database does.
type DatabaseUse struct {
	Bytes         int64   `json:"bytes" doc:"the file with its write-ahead log"`
	Commits       int64   `json:"commits" doc:"transactions that were synced since the start"`
	Writes        int64   `json:"writes" doc:"writes that shared them"`
	WritesWaiting int     `json:"writes_waiting"`
	LogLagSeconds float64 `json:"log_lag_seconds" doc:"how long the oldest events have been waiting that are not yet durable"`
}

// DiskStatus is what takes room on the disk. Total and free are of now; the rest was measured at MeasuredAt.
type DiskStatus struct {
	Path       string           `json:"path"`
	TotalBytes int64            `json:"total_bytes,omitempty" doc:"size of the file system; absent where the system does not tell"`
	FreeBytes  int64            `json:"free_bytes,omitempty"`
	Measuring  bool             `json:"measuring" doc:"the figures below are being measured again"`
	MeasuredAt *time.Time       `json:"measured_at,omitempty" doc:"absent before the first time"`
	Areas      []DiskArea       `json:"areas" nullable:"false" doc:"the largest first"`
	Partial    bool             `json:"partial,omitempty" doc:"measuring was given up after a while: there is more than this"`
	Unused     *run.Swept       `json:"unused,omitempty" doc:"what POST /gc would remove"`
	Cache      *run.CachePruned `json:"cache,omitempty" doc:"the results that may be reused"`
	Problem    string           `json:"problem,omitempty" doc:"why something could not be measured"`
}

// DiskArea is a part of the data directory.
type DiskArea struct {
	Name  string `json:"name" doc:"name of the file or folder in the data directory"`
	Bytes int64  `json:"bytes"`
	Files int    `json:"files"`
}

type systemOutput struct{ Body SystemStatus }

func (h *handler) registerSystem(api huma.API) {
	tags := []string{"server"}
	huma.Register(api, huma.Operation{OperationID: "get-system", Method: http.MethodGet, Path: Prefix + "/system",
		Summary: "How the server is: health, queue, disk, environments", Tags: tags,
		Description: "What takes long to find out, the use of the disk, is measured beside, when somebody asks and the last figures are older than " +
			"10 minutes; disk.measured_at says when that was."}, h.getSystem)
	huma.Register(api, huma.Operation{OperationID: "measure-disk", Method: http.MethodPost, Path: Prefix + "/system/measure",
		Summary: "Measure the use of the disk again", Tags: tags, DefaultStatus: http.StatusAccepted}, h.measureDisk)
}

func (h *handler) getSystem(ctx context.Context, _ *struct{}) (*systemOutput, error) {
	status := h.System.System(ctx)
	list, err := h.listEnvironments(ctx, nil)
	if err != nil {
		return nil, err
	}
	status.Environments = list.Body.Environments
	if h.Info != nil {
		status.Info = h.Info()
	}
	status.Disk.Areas, status.Workers = orEmpty(status.Disk.Areas), orEmpty(status.Workers)
	return &systemOutput{Body: status}, nil
}

func (h *handler) measureDisk(context.Context, *struct{}) (*struct{}, error) {
	h.System.MeasureDisk()
	return nil, nil
}
