package tracing

import (
	"context"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/trace"
	"levada/internal/core/track"
)

// complete gives an assessment an id and times where it has none.
func (s *Service) complete(a *trace.Assessment) {
	if a.ID == "" {
		a.ID = s.newID("a-")
	}
	if a.CreatedMS == 0 {
		a.CreatedMS = s.nowMS()
	}
	if a.UpdatedMS == 0 {
		a.UpdatedMS = s.nowMS()
	}
	a.Invalid = false
}

// maxAssessments bounds the assessments of a trace.
const maxAssessments = 10_000

// Assess adds an assessment to a trace and returns it as it is stored. One that it overrides is no longer valid.
func (s *Service) Assess(ctx context.Context, id string, a trace.Assessment) (trace.Assessment, error) {
	_, err := s.change(ctx, id, noTrace(id, fault.NotFoundf("")), func(t *trace.Trace) error {
		if len(t.Assessments) >= maxAssessments {
			return fault.Invalidf("trace '%s' has %d assessments already, which is all that it can have", t.ID, len(t.Assessments))
		}
		s.complete(&a)
		if a.Overrides != "" {
			i := find(t, a.Overrides)
			if i < 0 {
				return noAssessment(id, a.Overrides)
			}
			t.Assessments[i].Invalid = true
		}
		if find(t, a.ID) >= 0 {
			return fault.Conflictf("trace '%s' has an assessment with ID '%s' already", t.ID, a.ID)
		}
		t.Assessments = append(t.Assessments, a)
		return nil
	})
	return a, err
}

func find(t *trace.Trace, id string) int {
	return slices.IndexFunc(t.Assessments, func(a trace.Assessment) bool { return a.ID == id })
}

func noAssessment(traceID, id string) error {
	return fault.NotFoundf("Assessment with ID '%s' not found for trace '%s'", id, fault.Shorten(traceID, maxID))
}

func noTraceOfAssessment(id string) error {
	return fault.NotFoundf("Trace with request_id '%s' not found", fault.Shorten(id, maxID))
}

// Assessment returns an assessment of a trace.
func (s *Service) Assessment(ctx context.Context, traceID, id string) (trace.Assessment, error) {
	t, err := s.deps.Store.Trace(ctx, traceID)
	if fault.KindOf(err) == fault.NotFound {
		err = noTraceOfAssessment(traceID)
	}
	if err != nil {
		return trace.Assessment{}, err
	}
	i := find(t, id)
	if i < 0 {
		return trace.Assessment{}, noAssessment(traceID, id)
	}
	return t.Assessments[i], nil
}

// Update says what to change of an assessment; what is nil stays. Feedback and Expectation carry the new value.
type Update struct {
	Name, Rationale       *string
	Metadata              []track.KV
	Feedback, Expectation *trace.Assessment
}

// UpdateAssessment changes an assessment and returns it.
func (s *Service) UpdateAssessment(ctx context.Context, traceID, id string, u Update) (trace.Assessment, error) {
	if len(u.Metadata) > trace.MaxEntries {
		return trace.Assessment{}, fault.Invalidf("An assessment can have at most %d entries of metadata; %d were given", trace.MaxEntries, len(u.Metadata))
	}
	var changed trace.Assessment
	_, err := s.change(ctx, traceID, noTraceOfAssessment(traceID), func(t *trace.Trace) error {
		i := find(t, id)
		if i < 0 {
			return noAssessment(traceID, id)
		}
		a := &t.Assessments[i]
		switch {
		case u.Feedback != nil && u.Expectation != nil:
			return fault.Invalidf("Cannot specify both `expectation` and `feedback` parameters.")
		case u.Expectation != nil && a.Kind != trace.Expectation:
			return fault.Invalidf("Cannot update expectation value on a Feedback assessment.")
		case u.Feedback != nil && a.Kind != trace.Feedback:
			return fault.Invalidf("Cannot update feedback value on an Expectation assessment.")
		case u.Feedback != nil:
			a.Value, a.Error = u.Feedback.Value, u.Feedback.Error
		case u.Expectation != nil:
			a.Value = u.Expectation.Value
		}
		if u.Name != nil {
			a.Name = *u.Name
		}
		if u.Rationale != nil && a.Kind == trace.Feedback {
			a.Rationale = u.Rationale
		}
		for _, m := range u.Metadata {
			a.Metadata = track.Set(a.Metadata, m.Key, m.Value)
		}
		if len(a.Metadata) > trace.MaxEntries {
			return fault.Invalidf("Assessment '%s' would have more than %d entries of metadata", id, trace.MaxEntries)
		}
		a.UpdatedMS = s.nowMS()
		changed = *a
		return nil
	})
	return changed, err
}

// DeleteAssessment removes an assessment; one that it overrode is valid again. One that is not there is no error.
func (s *Service) DeleteAssessment(ctx context.Context, traceID, id string) error {
	return s.deps.Store.Change(ctx, nil, func(tx trace.Tx, _ []bool) error {
		t, err := tx.Trace(traceID)
		if err != nil || t == nil {
			return err
		}
		i := find(t, id)
		if i < 0 {
			return nil
		}
		if o := find(t, t.Assessments[i].Overrides); o >= 0 {
			t.Assessments[o].Invalid = false
		}
		t.Assessments = slices.Delete(t.Assessments, i, i+1)
		return tx.Put(t)
	})
}
