package bucket

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"gopkg.in/ini.v1"

	"levada/internal/core/fault"
)

// roleTime bounds a request for the credentials of the machine's role. Most machines have none, and nobody answers there.
const roleTime = 2 * time.Second

// settings are those of the client.
type settings struct {
	host   string
	secure bool
	// region is empty for one that S3 is asked for.
	region string
	lookup minio.BucketLookupType
}

func environment(environ []string) map[string]string {
	out := make(map[string]string, len(environ))
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		out[name] = value
	}
	return out
}

// first is the first of some variables that is set.
func (b *Buckets) first(names ...string) string {
	for _, name := range names {
		if v := b.environ[name]; v != "" {
			return v
		}
	}
	return ""
}

// settings finds where S3 is. The environment goes before the file of settings:
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
func (b *Buckets) settings() (settings, error) {
	profile, err := b.profile()
	if err != nil {
		return settings{}, err
	}
	s := settings{secure: true, region: b.first("AWS_REGION", "AWS_DEFAULT_REGION"), lookup: minio.BucketLookupAuto, host: "s3.amazonaws.com"}
	if s.region == "" {
		s.region = profile["region"]
	}
	endpoint := b.first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
	if endpoint == "" {
		endpoint = profile["endpoint_url"]
	}
	if endpoint == "" {
		return s, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" {
		return s, fault.Invalidf("the endpoint of S3 (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or endpoint_url of the profile) cannot be used; want http://HOST:PORT or https://HOST")
	}
	s.host, s.secure, s.lookup = u.Host, u.Scheme == "https", minio.BucketLookupPath
	if s.region == "" {
		s.region = "us-east-1" // what servers other than Amazon's call theirs, when they call it anything
	}
	return s, nil
}

// profile is the section of the file of settings that holds for the profile; empty where there is none.
func (b *Buckets) profile() (map[string]string, error) {
	file := b.environ["AWS_CONFIG_FILE"]
	if file == "" {
		if b.environ["HOME"] == "" {
			return nil, nil
		}
		file = filepath.Join(b.environ["HOME"], ".aws", "config")
	}
	config, err := ini.LoadSources(ini.LoadOptions{AllowNestedValues: true}, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Invalidf("the settings of AWS in %s cannot be read", file) // the cause may quote a line with a secret
	}
	name := b.environ["AWS_PROFILE"]
	if name == "" {
		name = "default"
	}
	for _, section := range []string{"profile " + name, name} {
		if s, err := config.GetSection(section); err == nil {
			return s.KeysHash(), nil
		}
	}
	return nil, nil
}

// credentials are looked for where the AWS command line does: in the environment, in the profile that it names, in the default profile, and
// in the role of the machine. Where there are none, requests are not signed.
func (b *Buckets) credentials() *credentials.Credentials {
	if id, secret := b.environ["AWS_ACCESS_KEY_ID"], b.environ["AWS_SECRET_ACCESS_KEY"]; id != "" && secret != "" {
		return credentials.NewStaticV4(id, secret, b.environ["AWS_SESSION_TOKEN"])
	}
	file := &credentials.FileAWSCredentials{Profile: b.environ["AWS_PROFILE"]}
	if file.Profile != "" {
		return credentials.New(file) // alone: without it requests would be unsigned, and nobody would know why
	}
	providers := []credentials.Provider{file}
	if !strings.EqualFold(b.environ["AWS_EC2_METADATA_DISABLED"], "true") {
		providers = append(providers, &credentials.IAM{Client: &http.Client{Timeout: roleTime}})
	}
	return credentials.NewChainCredentials(providers)
}
