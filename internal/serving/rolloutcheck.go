package serving

import (
	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/rollout"
)

// movable refuses an alias that cannot name all versions that may have the traffic in the end.
func (s *Service) movable(spec endpoint.Spec, baseline string, r StartRollout) error {
	if r.Alias == "" {
		return nil
	}
	if err := s.deps.Aliases.CheckAlias(r.Alias); err != nil {
		return err
	}
	for _, v := range append([]string{baseline}, r.Candidates...) {
		if _, remote := spec.Remotes[v]; remote || spec.Model == "" {
			return fault.Invalidf("alias %q names versions of a registered model, and %s is served by another server: leave the alias out", r.Alias, v)
		}
	}
	return nil
}

// planned takes the endpoint's own plan where none was brought.
func (r *StartRollout) planned(name string, spec endpoint.Spec) error {
	switch own := spec.Settings.Rollout; {
	case !r.Plan.Empty():
		return nil
	case own == nil:
		return fault.Invalidf("there is no plan: give one, or deploy endpoint %q with one of its own (--rollout-plan, settings.rollout)", name)
	default:
		r.Plan = *own
		return r.Plan.Complete()
	}
}

// measurable refuses metrics that nothing will ever be known of.
func measurable(name string, spec endpoint.Spec, plan rollout.Plan) error {
	for _, m := range plan.Metrics {
		estimated := m.Name == rollout.MetricEstimatedAccuracy
		switch log := spec.Settings.Log; {
		case !estimated && !rollout.FromTruth(m.Name):
		case log == nil:
			return fault.Invalidf("plan: metric %q is known from logged requests, and endpoint %q logs none: deploy it with --log-sample", m.Name, name)
		case estimated && log.Prediction != "":
			return fault.Invalidf("plan: metric %q is estimated from the first output, and endpoint %q compares %q with the truth", m.Name, name, log.Prediction)
		}
	}
	return nil
}
