package runner

import (
	"strconv"
	"strings"

	"levada/internal/adapter/steplog"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// passed are the variables of the server that steps see: what they need to find programs and reach the network.
var passed = map[string]bool{
	"PATH": true, "LANG": true, "LANGUAGE": true, "TZ": true,
	"http_proxy": true, "https_proxy": true, "no_proxy": true, "all_proxy": true,
	"HTTP_PROXY": true, "HTTPS_PROXY": true, "NO_PROXY": true, "ALL_PROXY": true,
	"SSL_CERT_FILE": true, "SSL_CERT_DIR": true, "REQUESTS_CA_BUNDLE": true, "CURL_CA_BUNDLE": true,
}

// environ returns the environment of a step. bin comes first on its PATH.
func (r *Runner) environ(s *run.Step, c *ir.Container, l layout, bin string) (map[string]string, error) {
	env := make(map[string]string)
	for _, kv := range r.opt.Environ {
		k, v, _ := strings.Cut(kv, "=")
		if passed[k] || strings.HasPrefix(k, "LC_") {
			env[k] = v
		}
	}
	if env["PATH"] == "" {
		env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
	}
	env["PATH"] = bin + ":" + env["PATH"]
	env["HOME"], env["TMPDIR"] = l.tmp(), l.tmp()
	env["PYTHONUNBUFFERED"] = "1" // so that the log shows lines as they are printed
	env["KFP_POD_NAME"] = podName(s)
	env["KFP_POD_UID"] = podUID(s)
	env["KFP_RUN_ID"] = s.Job.RunID
	env["KFP_RETRY_INDEX"] = strconv.Itoa(s.Attempt - 1)
	if err := kubernetesEnv(env, s); err != nil {
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
	env[trackingURI] = url
	env["MLFLOW_RUN_ID"] = s.TaskID
	if s.Job.ExperimentID != "" {
		env["MLFLOW_EXPERIMENT_ID"] = s.Job.ExperimentID
	}
}

// podName is the name that upstream would give the pod; it is unique for each attempt.
func podName(s *run.Step) string { return s.TaskName + "-" + podUID(s) }

func podUID(s *run.Step) string { return s.TaskID + "-" + strconv.Itoa(s.Attempt) }

func kubernetesEnv(env map[string]string, s *run.Step) error {
	k := s.Kubernetes
	if k == nil {
		return nil
	}
	for _, src := range k.SecretAsEnv {
		if err := missingSource("secret", src.SecretName, src.SecretParam, src.Optional); err != nil {
			return err
		}
	}
	for _, src := range k.ConfigMapAsEnv {
		if err := missingSource("config map", src.ConfigMapName, src.ConfigMap, src.Optional); err != nil {
			return err
		}
	}
	for _, f := range k.FieldPathAsEnv {
		v, ok := field(s, f.FieldPath)
		if !ok {
			return inputError("environment variable %s: field %q is not known here: want metadata.name, metadata.uid, metadata.namespace, "+
				"metadata.labels['…'] or metadata.annotations['…']", f.Name, f.FieldPath)
		}
		env[f.Name] = v
	}
	return nil
}

func missingSource(kind, name string, param *ir.TaskParameter, optional bool) error {
	if optional {
		return nil
	}
	if name == "" && param != nil {
		name = "named by an input"
	}
	return inputError("%s %q is asked for as environment variables, but this version does not support %ss: give the values as environment "+
		"variables of the task, or mark the %s optional", kind, name, kind, kind)
}

// field resolves what Kubernetes' downward API offers.
func field(s *run.Step, path string) (string, bool) {
	switch path {
	case "metadata.name":
		return podName(s), true
	case "metadata.uid":
		return podUID(s), true
	case "metadata.namespace":
		return "default", true
	case "spec.nodeName", "status.hostIP", "status.podIP":
		return "127.0.0.1", true
	case "spec.serviceAccountName":
		return "default", true
	}
	var labels, annotations map[string]string
	if m := s.Kubernetes.PodMetadata; m != nil {
		labels, annotations = m.Labels, m.Annotations
	}
	for prefix, values := range map[string]map[string]string{"metadata.labels[": labels, "metadata.annotations[": annotations} {
		if key, ok := strings.CutPrefix(path, prefix); ok {
			key = strings.Trim(strings.TrimSuffix(key, "]"), `'"`)
			return values[key], true
		}
	}
	return "", false
}

// notes tells the author of a step what has no effect here.
func (r *Runner) notes(s *run.Step, c *ir.Container, limits ir.Limits, log *steplog.Writer) {
	if limits.Accelerators > 0 {
		log.System("the step asks for %d accelerator(s) %s: devices are not allotted on this machine, the step sees what is there",
			limits.Accelerators, limits.AcceleratorType)
	}
	k := s.Kubernetes
	if k == nil {
		return
	}
	for what, n := range map[string]int{
		"mounted volumes": len(k.PVCMount) + len(k.EmptyDirMounts) + len(k.GenericEphemeralVolume), "secrets as files": len(k.SecretAsVolume),
		"config maps as files": len(k.ConfigMapAsVolume), "init containers": len(k.InitContainers), "sidecars": len(k.Sidecars),
	} {
		if n > 0 {
			log.System("%s have no effect for a process on this machine (image %s)", what, c.Image)
		}
	}
}
