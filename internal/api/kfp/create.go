package kfp

import (
	"net/http"

	"levada/internal/core/fault"
	"levada/internal/pipeline"
)

// The fields of the messages Pipeline and PipelineVersion. Those that only the server sets are taken and ignored.
var (
	pipelineFields = []string{"pipeline_id", "display_name", "name", "description", "created_at", "namespace", "error", "tags"}
	versionFields  = []string{
		"pipeline_id", "pipeline_version_id", "display_name", "name", "description", "created_at", "package_url", "code_source_url",
		"pipeline_spec", "error", "tags",
	}
)

func (d *door) createPipeline(r *http.Request) (any, error) {
	m, err := d.readMessage(r, "pipeline", pipelineFields...)
	if err != nil {
		return nil, err
	}
	u, err := readPipeline(m)
	if err != nil {
		return nil, err
	}
	p, err := d.Service.CreatePipeline(r.Context(), u)
	if err != nil {
		return nil, err
	}
	return toPipeline(p), nil
}

func (d *door) createPipelineAndVersion(r *http.Request) (any, error) {
	m, err := d.readMessage(r, "request", "pipeline", "pipeline_version")
	if err != nil {
		return nil, err
	}
	p, err := m.message("pipeline", pipelineFields...)
	if err != nil {
		return nil, err
	}
	u, err := readPipeline(p)
	if err != nil {
		return nil, err
	}
	v, err := m.message("pipeline_version", versionFields...)
	if err != nil {
		return nil, err
	}
	version, err := readVersion(v)
	if err != nil {
		return nil, err
	}
	u.Spec, u.CodeSourceURL = version.Spec, version.CodeSourceURL
	created, _, err := d.Service.UploadPipeline(r.Context(), u)
	if err != nil {
		return nil, err
	}
	return toPipeline(created), nil
}

func (d *door) createVersion(r *http.Request) (any, error) {
	if r.PathValue("sub") != "versions" {
		return nil, unknownPath(r)
	}
	m, err := d.readMessage(r, "pipeline_version", versionFields...)
	if err != nil {
		return nil, err
	}
	u, err := readVersion(m)
	if err != nil {
		return nil, err
	}
	if u.Name == "" {
		return nil, fault.Invalidf("%s has neither a name nor a display_name", m.path)
	}
	v, err := d.Service.UploadVersion(r.Context(), r.PathValue("pipeline"), u)
	if err != nil {
		return nil, err
	}
	return d.toVersion(r.Context(), v, specs{})
}

// readPipeline reads the names, description and tags of a pipeline.
func readPipeline(m message) (u pipeline.Upload, err error) {
	if err := m.texts(map[string]*string{"name": &u.Name, "display_name": &u.DisplayName, "description": &u.Description}); err != nil {
		return u, err
	}
	if u.Name == "" {
		u.Name = u.DisplayName
	}
	if u.Name == "" {
		return u, fault.Invalidf("%s has neither a name nor a display_name", m.path)
	}
	u.Tags, err = m.tags("tags")
	return u, err
}

// readVersion reads a version with the specification inside it. KFP's own server takes a package_url and fetches it.
func readVersion(m message) (u pipeline.Upload, err error) {
	err = m.texts(map[string]*string{
		"name": &u.Name, "display_name": &u.DisplayName, "description": &u.Description, "code_source_url": &u.CodeSourceURL,
	})
	if err != nil {
		return u, err
	}
	if u.Name == "" {
		u.Name = u.DisplayName
	}
	if u.Tags, err = m.tags("tags"); err != nil {
		return u, err
	}
	switch _, err := m.object("pipeline_spec"); {
	case m.has("package_url"):
		return u, fault.Unimplementedf("not implemented by Levada: %s.package_url; a server that fetches the addresses it is told can be "+
			"made to reach what only it can reach. Download the package and upload it, or send its content as pipeline_spec", m.path)
	case err != nil:
		return u, err
	case !m.has("pipeline_spec"):
		return u, fault.Invalidf("%s.pipeline_spec is missing: send the compiled pipeline as JSON", m.path)
	}
	u.Spec = m.fields["pipeline_spec"]
	return u, nil
}

// readChange reads what may be changed of a pipeline or version: the display name and the tags. Tags that are not said stay, an
// empty object takes them away.
func (d *door) readChange(r *http.Request, path string, known []string) (displayName string, tags map[string]string, err error) {
	m, err := d.readMessage(r, path, known...)
	if err != nil {
		return "", nil, err
	}
	if displayName, err = m.text("display_name"); err != nil {
		return "", nil, err
	}
	tags, err = m.tags("tags")
	return displayName, tags, err
}

func (d *door) updatePipeline(r *http.Request) (any, error) {
	name, tags, err := d.readChange(r, "pipeline", pipelineFields)
	if err != nil {
		return nil, err
	}
	p, err := d.Service.UpdatePipeline(r.Context(), r.PathValue("pipeline"), name, tags)
	if err != nil {
		return nil, err
	}
	return toPipeline(p), nil
}

func (d *door) updateVersion(r *http.Request) (any, error) {
	name, tags, err := d.readChange(r, "pipeline_version", versionFields)
	if err != nil {
		return nil, err
	}
	v, err := d.Service.UpdateVersion(r.Context(), r.PathValue("pipeline"), r.PathValue("version"), name, tags)
	if err != nil {
		return nil, err
	}
	return d.toVersion(r.Context(), v, specs{})
}
