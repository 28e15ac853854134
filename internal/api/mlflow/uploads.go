package mlflow

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/track"
	"levada/internal/tracking"
)

// Uploads in parts, and URLs that give the right to read or write one file for a while. MLflow's server hands them out for object
// stores; here they lead to this server itself.

const filesRoot = "/api/2.0/mlflow-artifacts/"

// uploadCalls finds the calls below mlflow-artifacts/ that are not of a file itself.
func (d *door) uploadCalls(rest string) (methods, []string) {
	call, dir, _ := strings.Cut(rest, "/")
	switch call {
	case "presigned":
		return get(d.presignFile), []string{dir}
	case "signed":
		return methods{"GET": d.getSigned, "PUT": d.putSigned}, []string{dir}
	case "mpu":
		call, dir, _ = strings.Cut(dir, "/")
		switch call {
		case "create":
			return post(d.createUpload), []string{dir}
		case "complete":
			return post(d.completeUpload), []string{dir}
		case "abort":
			return post(d.abortUpload), []string{dir}
		case "part":
			if id, number, ok := strings.Cut(dir, "/"); ok {
				return methods{"PUT": d.putPart}, []string{id, number}
			}
		}
	}
	return nil, nil
}

// self is the URL of this server as the client knows it.
func (r *request) self() string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// signedURL is a URL that gives a right.
func (r *request) signedURL(sign tracking.Signer, below, right string, last time.Duration) string {
	expires, signature := sign(right, last)
	u := url.URL{Path: filesRoot + below}
	return fmt.Sprintf("%s%s?expires=%d&signature=%s", r.self(), u.EscapedPath(), expires, url.QueryEscape(signature))
}

func (d *door) signed(r *request, right string) error {
	q := r.URL.Query()
	return d.Tracking.CheckSigned(r.Context(), right, q.Get("expires"), q.Get("signature"))
}

// Rights begin with what they are of, so that no name of a file makes one right of another.

func partRight(id string, number int64) string { return fmt.Sprintf("part %d of %s", number, id) }

func fileRight(method, file string) string { return "file " + method + " " + file }

func (d *door) createUpload(r *request) (any, error) {
	local, parts := r.text("path", required), r.whole("num_parts", optional)
	if r.err != nil {
		return nil, r.err
	}
	if parts == nil {
		one := int64(1)
		parts = &one
	}
	u, err := d.Tracking.CreateUpload(r.Context(), r.args[0], local, *parts)
	if err != nil {
		return nil, err
	}
	type credential struct {
		URL     string            `json:"url"`
		Number  int64             `json:"part_number"`
		Headers map[string]string `json:"headers"`
	}
	var answer struct {
		ID          string       `json:"upload_id"`
		Credentials []credential `json:"credentials"`
	}
	answer.ID = u.ID
	sign, err := d.Tracking.Signer(r.Context())
	if err != nil {
		return nil, err
	}
	for n := int64(1); n <= u.Parts; n++ {
		to := r.signedURL(sign, fmt.Sprintf("mpu/part/%s/%d", u.ID, n), partRight(u.ID, n), tracking.PartTime)
		answer.Credentials = append(answer.Credentials, credential{URL: to, Number: n, Headers: map[string]string{}})
	}
	return answer, nil
}

func (d *door) putPart(r *request) (any, error) {
	number, err := strconv.ParseInt(r.args[1], 10, 64)
	if err != nil {
		return nil, tracking.ErrSignature
	}
	if err := d.signed(r, partRight(r.args[0], number)); err != nil {
		return nil, err
	}
	digest, err := d.Tracking.PutPart(r.Context(), r.args[0], number, r.Body)
	if err != nil {
		return nil, r.brokenOff(err)
	}
	r.w.Header().Set("ETag", strconv.Quote(digest))
	r.answered = true // with nothing
	return nil, nil
}

func (d *door) completeUpload(r *request) (any, error) {
	local, id := r.text("path", required), r.text("upload_id", required)
	var parts []track.Part
	for _, o := range r.objects("parts", required) {
		parts = append(parts, track.Part{Number: o.whole("part_number"), Digest: strings.Trim(o.text("etag"), `"`)})
	}
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.CompleteUpload(r.Context(), r.args[0], local, id, parts)
}

func (d *door) abortUpload(r *request) (any, error) {
	local, id := r.text("path", required), r.text("upload_id", required)
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Tracking.AbortUpload(r.Context(), r.args[0], local, id)
}

// signedFile returns the URL of one file for one method.
func (d *door) signedFile(r *request, method, file string, seconds int64) (string, error) {
	last, err := tracking.SignedTime(seconds)
	if err != nil {
		return "", err
	}
	sign, err := d.Tracking.Signer(r.Context())
	if err != nil {
		return "", err
	}
	return r.signedURL(sign, "signed/"+file, fileRight(method, file), last), nil
}

const defaultSigned = 900 // seconds, as in MLflow

// presignFile answers with a URL from which a client reads a file in pieces, side by side.
func (d *door) presignFile(r *request) (any, error) {
	content, f, err := d.Tracking.OpenFile(r.Context(), r.args[0])
	if err != nil {
		return nil, err
	}
	if err := content.Close(); err != nil {
		return nil, err
	}
	to, err := d.signedFile(r, http.MethodGet, f.Path, defaultSigned)
	return map[string]any{"url": to, "headers": map[string]string{}, "file_size": f.Size}, err
}

func (d *door) getSigned(r *request) (any, error) {
	file, err := tracking.CleanPath(r.args[0])
	if err == nil {
		err = d.signed(r, fileRight(http.MethodGet, file))
	}
	if err != nil {
		return nil, err
	}
	return d.getFile(r)
}

func (d *door) putSigned(r *request) (any, error) {
	file, err := tracking.CleanPath(r.args[0])
	if err == nil {
		err = d.signed(r, fileRight(http.MethodPut, file))
	}
	if err != nil {
		return nil, err
	}
	return d.putFile(r)
}

// presign answers with a URL for one file of a run or logged model.
func (d *door) presign(method string) call {
	return func(r *request) (any, error) {
		runID, modelID, file := r.text("run_id", optional), "", r.text("path", required)
		if method == http.MethodPut {
			modelID = r.text("model_id", optional)
		}
		seconds := r.whole("expiration", optional)
		switch {
		case r.err != nil:
			return nil, r.err
		case method == http.MethodGet && runID == "":
			r.text("run_id", required)
			return nil, r.err
		case (runID == "") == (modelID == ""):
			return nil, fault.Invalidf("Exactly one of run_id and model_id must be provided.")
		}
		if seconds == nil {
			byDefault := int64(defaultSigned)
			seconds = &byDefault
		}
		place, err := d.Tracking.FilePath(r.Context(), runID, modelID, file)
		if err != nil {
			return nil, err
		}
		answer := map[string]any{"headers": map[string]string{}}
		if method == http.MethodGet {
			content, f, err := d.Tracking.OpenFile(r.Context(), place)
			if err != nil {
				return nil, err
			}
			answer["file_size"] = f.Size
			if err := content.Close(); err != nil {
				return nil, err
			}
		}
		answer["presigned_url"], err = d.signedFile(r, method, path.Clean(place), *seconds)
		return answer, err
	}
}
