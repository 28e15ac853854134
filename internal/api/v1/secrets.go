package v1

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/fault"
	"levada/internal/core/secret"
	secrets "levada/internal/secret"
)

// Secrets keeps secrets and config maps.
type Secrets interface {
	Set(ctx context.Context, k secret.Kind, name string, c secrets.Change) (secret.Entry, error)
	List(ctx context.Context, k secret.Kind) ([]secret.Entry, error)
	Get(ctx context.Context, k secret.Kind, name string) (secret.Entry, error)
	Delete(ctx context.Context, k secret.Kind, name string) error
	// Reveal returns the values of a config map. There is no such call for secrets.
	Reveal(ctx context.Context, name string) (secret.Data, error)
}

// SecretChange is the request that creates or changes a secret or config map. It is read here and not by huma, whose messages
// would repeat the values.
type SecretChange struct {
	Data       map[string]string `json:"data,omitempty" doc:"values as text, by key"`
	BinaryData map[string]string `json:"binary_data,omitempty" doc:"values as base64, by key"`
	Remove     []string          `json:"remove,omitempty" doc:"keys to remove"`
	Replace    bool              `json:"replace,omitempty" doc:"forget all keys that are not given"`
}

type secretName struct {
	Name string `path:"name" doc:"name of the secret or config map"`
}

type setSecretInput struct {
	Name    string `path:"name" doc:"name of the secret or config map"`
	RawBody []byte `contentType:"application/json"`
}

type secretOutput struct{ Body secret.Entry }

type listSecretsOutput struct {
	Body struct {
		Items []secret.Entry `json:"items" nullable:"false"`
	}
}

// ConfigMap is a config map with its values.
type ConfigMap struct {
	secret.Entry
	Data       map[string]string `json:"data" doc:"values that are text, by key"`
	BinaryData map[string]string `json:"binary_data,omitempty" doc:"other values as base64, by key"`
}

type configMapOutput struct{ Body ConfigMap }

func (h *handler) registerSecrets(api huma.API) {
	for _, k := range []struct {
		kind       secret.Kind
		path, noun string
	}{{secret.Secret, Prefix + "/secrets", "secret"}, {secret.ConfigMap, Prefix + "/configmaps", "config map"}} {
		tags, one := []string{k.noun + "s"}, k.path+"/{name}"
		huma.Register(api, huma.Operation{OperationID: "list-" + string(k.kind) + "s", Method: http.MethodGet, Path: k.path,
			Summary: "List " + k.noun + "s, without values", Tags: tags}, h.listSecrets(k.kind))
		op := huma.Operation{OperationID: "set-" + string(k.kind), Method: http.MethodPut, Path: one,
			Summary: "Create a " + k.noun + ", or change keys of it", Tags: tags, MaxBodyBytes: 4 * secret.MaxBytes,
			Errors: []int{400, 413}, SkipValidateBody: true}
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {
			Schema: huma.SchemaFromType(api.OpenAPI().Components.Schemas, reflect.TypeFor[SecretChange]()),
		}}}
		huma.Register(api, op, h.setSecret(k.kind))
		huma.Register(api, huma.Operation{OperationID: "delete-" + string(k.kind), Method: http.MethodDelete, Path: one,
			Summary: "Delete a " + k.noun, Tags: tags, Errors: []int{404}}, h.deleteSecret(k.kind))
	}
	huma.Register(api, huma.Operation{OperationID: "get-secret", Method: http.MethodGet, Path: Prefix + "/secrets/{name}",
		Summary: "Describe a secret; its values are never shown", Tags: []string{"secrets"}, Errors: []int{404}}, h.getSecret)
	huma.Register(api, huma.Operation{OperationID: "get-configmap", Method: http.MethodGet, Path: Prefix + "/configmaps/{name}",
		Summary: "Get a config map", Tags: []string{"config maps"}, Errors: []int{404}}, h.getConfigMap)
}

func (h *handler) listSecrets(k secret.Kind) func(context.Context, *struct{}) (*listSecretsOutput, error) {
	return func(ctx context.Context, _ *struct{}) (*listSecretsOutput, error) {
		list, err := h.Secrets.List(ctx, k)
		if err != nil {
			return nil, h.problem(ctx, "list "+k.String()+"s", err)
		}
		out := &listSecretsOutput{}
		out.Body.Items = orEmpty(list)
		return out, nil
	}
}

func (h *handler) setSecret(k secret.Kind) func(context.Context, *setSecretInput) (*secretOutput, error) {
	return func(ctx context.Context, in *setSecretInput) (*secretOutput, error) {
		change, err := readChange(in.RawBody)
		if err != nil {
			return nil, h.problem(ctx, "set a "+k.String(), err)
		}
		info, err := h.Secrets.Set(ctx, k, in.Name, change)
		if err != nil {
			return nil, h.problem(ctx, "set a "+k.String(), err)
		}
		return &secretOutput{Body: info}, nil
	}
}

// readChange reads a SecretChange. Its errors name keys and places, never values.
func readChange(body []byte) (secrets.Change, error) {
	var b SecretChange
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return secrets.Change{}, fault.Invalidf("the request is not as it should be: %q: want a %s, got a %s", wrong.Field, wrong.Type, wrong.Value)
		}
		return secrets.Change{}, fault.Invalidf("the request is not the JSON it should be: want data, binary_data, remove and replace")
	}
	change := secrets.Change{Set: secret.Data{}, Remove: b.Remove, Replace: b.Replace}
	for key, v := range b.Data {
		change.Set[key] = []byte(v)
	}
	for key, v := range b.BinaryData {
		raw, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return change, fault.Invalidf("binary_data: key %q: its value is not base64", key)
		}
		if _, twice := change.Set[key]; twice {
			return change, fault.Invalidf("key %q is in data and in binary_data; give it once", key)
		}
		change.Set[key] = raw
	}
	return change, nil
}

func (h *handler) deleteSecret(k secret.Kind) func(context.Context, *secretName) (*struct{}, error) {
	return func(ctx context.Context, in *secretName) (*struct{}, error) {
		if err := h.Secrets.Delete(ctx, k, in.Name); err != nil {
			return nil, h.problem(ctx, "delete a "+k.String(), err)
		}
		return nil, nil
	}
}

func (h *handler) getSecret(ctx context.Context, in *secretName) (*secretOutput, error) {
	info, err := h.Secrets.Get(ctx, secret.Secret, in.Name)
	if err != nil {
		return nil, h.problem(ctx, "get a secret", err)
	}
	return &secretOutput{Body: info}, nil
}

func (h *handler) getConfigMap(ctx context.Context, in *secretName) (*configMapOutput, error) {
	info, err := h.Secrets.Get(ctx, secret.ConfigMap, in.Name)
	if err != nil {
		return nil, h.problem(ctx, "get a config map", err)
	}
	values, err := h.Secrets.Reveal(ctx, in.Name)
	if err != nil {
		return nil, h.problem(ctx, "get a config map", err)
	}
	out := &configMapOutput{Body: ConfigMap{Entry: info, Data: map[string]string{}}}
	for key, v := range values {
		if utf8.Valid(v) {
			out.Body.Data[key] = string(v)
			continue
		}
		if out.Body.BinaryData == nil {
			out.Body.BinaryData = map[string]string{}
		}
		out.Body.BinaryData[key] = base64.StdEncoding.EncodeToString(v)
	}
	return out, nil
}
