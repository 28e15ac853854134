package kfp

import (
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"levada/internal/core/fault"
	"levada/internal/pipeline"
)

// uploadField is the form field that holds the package.
const uploadField = "uploadfile"

func (d *door) uploadPipeline(r *http.Request) (any, error) {
	u, err := d.readUpload(r)
	if err != nil {
		return nil, err
	}
	p, _, err := d.Service.UploadPipeline(r.Context(), u)
	if err != nil {
		return nil, err
	}
	return toPipeline(p), nil
}

func (d *door) uploadVersion(r *http.Request) (any, error) {
	pipelineID := r.URL.Query().Get("pipelineid")
	if pipelineID == "" {
		return nil, fault.Invalidf("pipelineid is missing from the query: name the pipeline that the version belongs to")
	}
	u, err := d.readUpload(r)
	if err != nil {
		return nil, err
	}
	v, err := d.Service.UploadVersion(r.Context(), pipelineID, u)
	if err != nil {
		return nil, err
	}
	return d.toVersion(r.Context(), v, specs{})
}

// readUpload reads the package from the form and everything about it from the query.
func (d *door) readUpload(r *http.Request) (pipeline.Upload, error) {
	query := r.URL.Query()
	u := pipeline.Upload{
		Name:          query.Get("name"),
		DisplayName:   query.Get("display_name"),
		Description:   query.Get("description"),
		CodeSourceURL: query.Get("code_source_url"),
	}
	if tags := query.Get("tags"); tags != "" {
		if err := json.Unmarshal([]byte(tags), &u.Tags); err != nil {
			return u, fault.Invalidf("tags: want a JSON object of strings, got %q", shorten(tags))
		}
	}
	fileName, data, err := d.readForm(r)
	if err != nil {
		return u, err
	}
	if u.Spec, err = unpack(fileName, data, d.MaxUploadBytes); err != nil {
		return u, err
	}
	// As in KFP: the name, else the display name, else the file name.
	for _, name := range []string{u.DisplayName, fileName} {
		if u.Name == "" {
			u.Name = name
		}
	}
	if u.DisplayName == "" {
		u.DisplayName = u.Name
	}
	return u, nil
}

// readForm returns the uploaded file. It streams the form, so that nothing but the file is held, and nothing is
// written to disk.
func (d *door) readForm(r *http.Request) (fileName string, data []byte, err error) {
	form, err := r.MultipartReader()
	if err != nil {
		return "", nil, fault.Invalidf("the upload is not a form: send multipart/form-data with the package in field %q: %w", uploadField, err)
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return "", nil, fault.Invalidf("the upload has no field %q with the package", uploadField)
		}
		if err != nil {
			return "", nil, unreadable("the upload", err)
		}
		if part.FormName() == uploadField {
			return d.readPart(part)
		}
	}
}

func (d *door) readPart(part *multipart.Part) (fileName string, data []byte, err error) {
	data, err = d.read(part, "the package "+shorten(part.FileName()))
	return part.FileName(), data, err
}
