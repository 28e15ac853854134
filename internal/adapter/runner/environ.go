package runner

import (
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"

	"levada/internal/adapter/subprocess"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// environ returns the environment of a step. bin comes first on its PATH.
func (r *Runner) environ(s *run.Step, c *ir.Container, l layout, bin string, given map[string]string) (map[string]string, error) {
	env := make(map[string]string)
	for _, kv := range r.opt.Environ {
		k, v, _ := strings.Cut(kv, "=")
		if subprocess.Passed(k) {
			env[k] = v
		}
	}
	if env["PATH"] == "" {
		env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
	}
	env["PATH"] = bin + ":" + env["PATH"]
	if r.opt.Commands != "" {
		env["PATH"] += ":" + r.opt.Commands
	}
	env["HOME"], env["TMPDIR"] = l.tmp(), l.tmp()
	env["PYTHONUNBUFFERED"] = "1" // so that the log shows lines as they are printed
	env["KFP_POD_NAME"] = podName(s)
	env["KFP_POD_UID"] = podUID(s)
	env["KFP_RUN_ID"] = s.Job.RunID
	env["KFP_RETRY_INDEX"] = strconv.Itoa(s.Attempt - 1)
	maps.Copy(env, given)
	if err := fieldEnv(env, s); err != nil {
		return nil, err
	}
	r.trackingEnv(env, s)
	for _, e := range c.Env {
		if e.Name == "" || strings.ContainsAny(e.Name, "=\x00") || strings.ContainsRune(e.Value, 0) {
			return nil, inputError("environment variable %q: its name or value cannot be given to a process", e.Name)
		}
		env[e.Name] = e.Value
	}
	if env[trackingURI] != r.trackingURL() { // the component logs elsewhere, where this run is not known
		delete(env, "MLFLOW_RUN_ID")
		delete(env, "MLFLOW_EXPERIMENT_ID")
	}
	return env, nil
}

const trackingURI = "MLFLOW_TRACKING_URI"

// serverURL is how the command levada finds this server in a step.
const serverURL = "LEVADA_SERVER"

func (r *Runner) trackingURL() string {
	if r.opt.TrackingURL == nil {
		return ""
	}
	return r.opt.TrackingURL()
}

// trackingEnv makes MLflow in a step log to this server, on the run of the task.
func (r *Runner) trackingEnv(env map[string]string, s *run.Step) {
	url := r.trackingURL()
	if url == "" {
		return // a run inside the command line: nobody listens
	}
	env[trackingURI], env[serverURL] = url, url
	env["MLFLOW_RUN_ID"] = s.TaskID
	if s.Job.ExperimentID != "" {
		env["MLFLOW_EXPERIMENT_ID"] = s.Job.ExperimentID
	}
}

// podName is the name that upstream would give the pod; it is unique for each attempt.
func podName(s *run.Step) string { return s.TaskName + "-" + podUID(s) }

func podUID(s *run.Step) string { return s.TaskID + "-" + strconv.Itoa(s.Attempt) }

// fieldEnv fills variables from the step's own metadata.
func fieldEnv(env map[string]string, s *run.Step) error {
	if s.Kubernetes == nil {
		return nil
	}
	for _, f := range s.Kubernetes.FieldPathAsEnv {
		v, ok := field(s, f.FieldPath)
		if !ok {
			return inputError("environment variable %s: field %q is not known here: want metadata.name, metadata.uid, metadata.namespace, "+
				"metadata.labels, metadata.annotations, one of these in brackets, spec.nodeName, spec.serviceAccountName, status.hostIP or status.podIP",
				f.Name, f.FieldPath)
		}
		env[f.Name] = v
	}
	return nil
}

// field resolves what Kubernetes' downward API offers.
func field(s *run.Step, path string) (string, bool) {
	switch path {
	case "metadata.name":
		return podName(s), true
	case "metadata.uid":
		return podUID(s), true
	case "metadata.namespace", "spec.serviceAccountName":
		return "default", true
	case "spec.nodeName":
		name, err := os.Hostname()
		return name, err == nil
	case "status.hostIP", "status.podIP", "status.hostIPs", "status.podIPs":
		return "127.0.0.1", true
	}
	labels, annotations := podMetadata(s)
	for prefix, values := range map[string]map[string]string{"metadata.labels": labels, "metadata.annotations": annotations} {
		if path == prefix {
			return listed(values), true
		}
		if key, ok := strings.CutPrefix(path, prefix+"["); ok {
			key = strings.Trim(strings.TrimSuffix(key, "]"), `'"`)
			return values[key], true
		}
	}
	return "", false
}

// podMetadata returns the labels and annotations of the step, with those that KFP gives every pod.
func podMetadata(s *run.Step) (labels, annotations map[string]string) {
	labels = map[string]string{"pipeline/runid": s.Job.RunID, "pipelines.kubeflow.org/v2_component": "true"}
	annotations = map[string]string{"pipelines.kubeflow.org/run_name": s.Job.Name, "pipelines.kubeflow.org/v2_component": "true"}
	if m := s.Kubernetes.PodMetadata; m != nil {
		maps.Copy(labels, m.Labels)
		maps.Copy(annotations, m.Annotations)
	}
	return labels, annotations
}

// listed writes all labels or annotations as the downward API does: one on each line, the value quoted.
func listed(values map[string]string) string {
	var b strings.Builder
	for _, k := range sortedKeys(values) {
		fmt.Fprintf(&b, "%s=%q\n", k, values[k])
	}
	return b.String()
}

// notes tells the author of a step what has no effect here.
func (r *Runner) notes(limits ir.Limits, log *attemptLog) {
	if limits.Accelerators > r.devices.count() {
		log.System("the step asks for %d accelerator(s) %s and this machine has %d: it runs with what there is",
			limits.Accelerators, limits.AcceleratorType, r.devices.count())
	}
}
