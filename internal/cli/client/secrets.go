package client

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"unicode/utf8"

	"levada/internal/core/secret"
)

// SecretChange creates or changes a secret or config map.
type SecretChange struct {
	Set     secret.Data
	Remove  []string
	Replace bool
}

// ConfigMap is a config map with its values.
type ConfigMap struct {
	secret.Entry
	Data       map[string]string `json:"data"`
	BinaryData map[string]string `json:"binary_data,omitempty"`
}

func secretPath(k secret.Kind, name string) string {
	path := "/" + string(k) + "s"
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	return path
}

// SetSecret creates a secret or config map, or changes it.
func (c *Client) SetSecret(ctx context.Context, k secret.Kind, name string, change SecretChange) (secret.Entry, error) {
	text, binary := map[string]string{}, map[string]string{}
	for key, v := range change.Set {
		if utf8.Valid(v) {
			text[key] = string(v)
		} else {
			binary[key] = base64.StdEncoding.EncodeToString(v)
		}
	}
	body := map[string]any{"data": text, "binary_data": binary, "remove": append([]string{}, change.Remove...), "replace": change.Replace}
	var out secret.Entry
	return out, c.call(ctx, http.MethodPut, secretPath(k, name), nil, body, &out)
}

// Secrets lists what there is of a kind, without values.
func (c *Client) Secrets(ctx context.Context, k secret.Kind) ([]secret.Entry, error) {
	var out struct {
		Items []secret.Entry `json:"items"`
	}
	return out.Items, c.call(ctx, http.MethodGet, secretPath(k, ""), nil, nil, &out)
}

// ConfigMap gets a config map with its values.
func (c *Client) ConfigMap(ctx context.Context, name string) (ConfigMap, error) {
	var out ConfigMap
	return out, c.call(ctx, http.MethodGet, secretPath(secret.ConfigMap, name), nil, nil, &out)
}

// DeleteSecret deletes a secret or config map.
func (c *Client) DeleteSecret(ctx context.Context, k secret.Kind, name string) error {
	return c.call(ctx, http.MethodDelete, secretPath(k, name), nil, nil, nil)
}
