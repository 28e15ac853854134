package app

import (
	"context"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/endpoint"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/infergraph"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/partition"
	"levada/internal/declare"
	"levada/internal/pipeline"
	endpoints "levada/internal/serving"
	"levada/internal/trigger"
)

// declared makes what files declare.
func (s *server) declared() *declare.Service {
	return declare.New(declare.Options{Store: s.store, Pipelines: declaredPipelines{s.service}, Partitions: s.trigger, RecurringRuns: s.trigger, Triggers: declaredTriggers{s.events},
		Monitors: s.monitors, Endpoints: declaredEndpoints{s.endpoints}, Graphs: declaredEndpoints{s.endpoints}})
}

// declaredTriggers finds triggers by their names.
type declaredTriggers struct{ *trigger.Events }

// Named returns the trigger of a name.
func (d declaredTriggers) Named(ctx context.Context, name string) (event.Trigger, error) {
	page, err := d.List(ctx, listing.Query{Where: []listing.Predicate{{Key: "display_name", Op: listing.Equals, Values: []any{name}}}, PageSize: 1})
	if err == nil && len(page.Items) == 0 {
		err = fault.NotFoundf("there is no trigger %q", name)
	}
	if err != nil {
		return event.Trigger{}, err
	}
	return page.Items[0], nil
}

// declaredEndpoints is the service of endpoints as declarations need it.
type declaredEndpoints struct{ *endpoints.Service }

func (d declaredEndpoints) Specification(ctx context.Context, name string) (endpoint.Spec, error) {
	s, err := d.Get(ctx, name)
	return s.Spec, err
}

func (d declaredEndpoints) Serve(ctx context.Context, name string, spec endpoint.Spec) error {
	_, err := d.Put(ctx, name, spec)
	return err
}

func (d declaredEndpoints) GraphSpecification(ctx context.Context, name string) (infergraph.Spec, error) {
	s, err := d.Graph(ctx, name)
	return s.Spec, err
}

func (d declaredEndpoints) ServeGraph(ctx context.Context, name string, spec infergraph.Spec) error {
	_, err := d.PutGraph(ctx, name, spec)
	return err
}

func (d declaredEndpoints) Undeploy(ctx context.Context, name string) error {
	return d.Delete(ctx, name)
}

// declaredPipelines is the pipeline service as declarations need it.
type declaredPipelines struct{ service *pipeline.Service }

func (d declaredPipelines) FindPipeline(ctx context.Context, name string) (id, digest string, err error) {
	p, err := d.service.PipelineByName(ctx, name)
	if err != nil {
		return "", "", err
	}
	page, err := d.service.ListVersions(ctx, p.ID, listing.Query{PageSize: 1})
	if err == nil && len(page.Items) > 0 {
		digest = page.Items[0].SpecDigest
	}
	return p.ID, digest, err
}

func (d declaredPipelines) PipelineName(ctx context.Context, id string) (string, error) {
	p, err := d.service.GetPipeline(ctx, id)
	return p.Name, err
}

func (declaredPipelines) Digest(spec string) (string, error) {
	p, err := ir.Parse([]byte(spec))
	if err != nil {
		return "", err
	}
	return p.Digest, nil
}

func (declaredPipelines) RunName(spec string) (string, error) {
	p, err := ir.Parse([]byte(spec))
	if err != nil {
		return "", err
	}
	return p.Spec.PipelineInfo.Name, nil
}

func (declaredPipelines) CheckPartitions(spec string, d partition.Definition) error {
	p, err := ir.Parse([]byte(spec))
	if err != nil {
		return err
	}
	return trigger.CheckPartitions(p, d, time.Now())
}

func (d declaredPipelines) CreatePipeline(ctx context.Context, name, description, spec string) (string, error) {
	p, _, err := d.service.UploadPipeline(ctx, pipeline.Upload{Name: name, Description: description, Spec: []byte(spec)})
	return p.ID, err
}

// AddVersion names a version by its time and content: a content may come back.
func (d declaredPipelines) AddVersion(ctx context.Context, id, spec string) error {
	digest, err := d.Digest(spec)
	if err != nil {
		return err
	}
	name := time.Now().UTC().Format("2006-01-02T15:04:05.000Z") + " " + digest[len("sha256:"):][:8]
	_, err = d.service.UploadVersion(ctx, id, pipeline.Upload{Name: name, Spec: []byte(spec)})
	return err
}

func (d declaredPipelines) DeletePipeline(ctx context.Context, id string) error {
	return d.service.DeletePipeline(ctx, id, true)
}

func (d declaredPipelines) CheckParameters(ctx context.Context, spec, pipelineID string, given map[string]any, later []string) error {
	var p *ir.Pipeline
	var err error
	if spec != "" {
		p, err = ir.Parse([]byte(spec))
	} else {
		var page listing.Page[catalog.Version]
		if page, err = d.service.ListVersions(ctx, pipelineID, listing.Query{PageSize: 1}); err != nil {
			return err
		}
		if len(page.Items) == 0 {
			return fault.Invalidf("the pipeline has no version yet")
		}
		p, err = d.service.Spec(ctx, page.Items[0].SpecDigest)
	}
	if err != nil {
		return err
	}
	_, err = p.CheckParametersBut(given, later)
	return err
}

func (d declaredPipelines) ExperimentNamed(ctx context.Context, name string, create bool) (string, error) {
	if name == "" {
		return catalog.DefaultExperimentID, nil
	}
	e, err := d.service.ExperimentByName(ctx, name)
	if fault.KindOf(err) != fault.NotFound {
		return e.ID, err
	}
	if !create {
		return "", nil
	}
	e, err = d.service.CreateExperiment(ctx, name, "")
	return e.ID, err
}

func (d declaredPipelines) ExperimentName(ctx context.Context, id string) (string, error) {
	e, err := d.service.GetExperiment(ctx, id)
	if id == catalog.DefaultExperimentID && fault.KindOf(err) == fault.NotFound {
		return "Default", nil // it is made with the first run
	}
	return e.DisplayName, err
}
