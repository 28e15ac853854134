package cachekey

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"levada/internal/core/ir"
)

// StalenessAnnotation is the pod annotation by which a task says how old a result may be to be reused. KFP v1 used it for its
// max_cache_staleness; KFP v2's specification has no field for it, so tasks set it with
// kfp.kubernetes.add_pod_annotation.
const StalenessAnnotation = "pipelines.kubeflow.org/max_cache_staleness"

// maxAge keeps sums of times far from overflow.
const maxAge = 100 * 365 * 24 * time.Hour

var (
	isoAge   = regexp.MustCompile(`^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)
	shortAge = regexp.MustCompile(`^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$`)
	units    = []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second}
)

// ParseAge reads an age: 30d, 12h, 1w2d, 90m, or an ISO 8601 duration such as P30D (weeks to seconds; a day has 24 hours).
func ParseAge(text string) (time.Duration, error) {
	bad := fmt.Errorf("want an age such as 12h, 30d, 2w or P30D, got %q", text)
	m := isoAge.FindStringSubmatch(text)
	if m == nil {
		m = shortAge.FindStringSubmatch(text)
	}
	if m == nil {
		return 0, bad
	}
	var age time.Duration
	given := false
	for i, digits := range m[1:] {
		if digits == "" {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > int64(maxAge/units[i]) {
			return 0, fmt.Errorf("age %q is more than 100 years", text)
		}
		given = true
		age += time.Duration(n) * units[i]
	}
	if !given {
		return 0, bad
	}
	return age, nil
}

// MaxAge returns how old a result may be to be reused by a step with these Kubernetes extras: what the task says, else the
// default. limited is false when any age will do.
func MaxAge(k *ir.KubernetesExecutor, fallback time.Duration) (age time.Duration, limited bool, err error) {
	if k != nil && k.PodMetadata != nil {
		if text, given := k.PodMetadata.Annotations[StalenessAnnotation]; given {
			age, err := ParseAge(text)
			if err != nil {
				return 0, false, fmt.Errorf("annotation %s: %w", StalenessAnnotation, err)
			}
			return age, true, nil
		}
	}
	return fallback, fallback > 0, nil
}

// CheckAges refuses a pipeline in which a task's age cannot be read.
func CheckAges(p *ir.Pipeline) error {
	for label := range p.Spec.DeploymentSpec.Executors {
		if _, _, err := MaxAge(p.Kubernetes(label), 0); err != nil {
			return fmt.Errorf("executor %q: %w", label, err)
		}
	}
	return nil
}
