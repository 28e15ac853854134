package endpoint

import (
	"net/url"
	"regexp"
	"strings"

	"levada/internal/core/fault"
)

// RemoteProtocol is how another server is asked.
type RemoteProtocol string

// The protocols of remotes. The Open Inference Protocol over REST is what is meant where none is named.
const (
	ProtocolOIP    RemoteProtocol = "oip"      // Open Inference Protocol v2, REST
	ProtocolGRPC   RemoteProtocol = "oip-grpc" // Open Inference Protocol v2, gRPC
	ProtocolMLflow RemoteProtocol = "mlflow"   // MLflow's scoring server: POST /invocations
)

// Remote is a model that another server serves. An endpoint has it as a version with a name in place of a number.
type Remote struct {
	// URL is that of the model: https://HOST/v2/models/NAME, or one of its versions; with ProtocolMLflow one that ends in /invocations.
	URL string `json:"url" maxLength:"2000" doc:"the model at the other server: https://HOST/v2/models/NAME, with /versions/VERSION after it for one of its versions; with the protocol mlflow https://HOST/invocations"`
	// Protocol is how it is asked; empty for ProtocolOIP.
	Protocol RemoteProtocol `json:"protocol,omitempty" enum:"oip,oip-grpc,mlflow" doc:"how that server is asked: oip (Open Inference Protocol over REST, the default), oip-grpc (the same over gRPC) or mlflow (/invocations)"`
	// Secret is the name of a secret whose key "token" is sent as bearer token; empty for none.
	Secret string `json:"secret,omitempty" maxLength:"253" doc:"a secret whose key token is sent to that server as bearer token"`
}

// InvocationsPath is the end of the path of a model of ProtocolMLflow.
const InvocationsPath = "/invocations"

// SecretKey is the key of a remote's secret.
const SecretKey = "token"

// DefaultRemote is what a remote is called that is given no name.
const DefaultRemote = "remote"

var (
	remoteName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)
	modelPath  = regexp.MustCompile(`/v2/models/[^/]+(/versions/[^/]+)?$`)
)

// IsRemote reports whether what is to be deployed is a URL.
func IsRemote(what string) bool {
	lower := strings.ToLower(what)
	return strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://")
}

// check refuses a remote that nothing would be sent to. Whether its address may be reached is not checked here.
func (r Remote) check(name string) error {
	if !remoteName.MatchString(name) || name == "latest" {
		return fault.Invalidf("remotes: %q is no name for one: want at most 31 small letters, digits and hyphens, a letter first", fault.Shorten(name, 100))
	}
	u, err := url.Parse(r.URL)
	if err != nil || !IsRemote(r.URL) || u.Hostname() == "" {
		return fault.Invalidf("remotes: %s: want the URL of a model, https://HOST/v2/models/NAME", name)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fault.Invalidf("remotes: %s: the URL has credentials, a query or a fragment: name a secret instead, whose key %s is sent as bearer token", name, SecretKey)
	}
	switch r.Protocol {
	case "", ProtocolOIP, ProtocolGRPC:
	case ProtocolMLflow:
		if !strings.HasSuffix(u.EscapedPath(), InvocationsPath) {
			return fault.Invalidf("remotes: %s: the path %q is not that of a server of MLflow's: want one that ends in %s", name, fault.Shorten(u.Path, 200), InvocationsPath)
		}
		return nil
	default:
		return fault.Invalidf("remotes: %s: there is no protocol %q: want %s, %s or %s", name, fault.Shorten(string(r.Protocol), 40), ProtocolOIP, ProtocolGRPC, ProtocolMLflow)
	}
	if strings.HasSuffix(u.EscapedPath(), InvocationsPath) {
		return fault.Invalidf("remotes: %s: the path %q is that of a server of MLflow's: give the protocol %s with it", name, fault.Shorten(u.Path, 200), ProtocolMLflow)
	}
	if !modelPath.MatchString(u.EscapedPath()) {
		return fault.Invalidf("remotes: %s: the path %q is not that of a model: want /v2/models/NAME or /v2/models/NAME/versions/VERSION (Open Inference Protocol v2)",
			name, fault.Shorten(u.Path, 200))
	}
	return nil
}
