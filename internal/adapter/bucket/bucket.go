// Package bucket reads buckets of Amazon S3, and of what speaks its protocol, with the settings of the AWS command line.
//
// It tells which objects there are and brings their content. What a change means is not its business. Where it connects to is said by
// the environment of the server alone: those who name a bucket do not choose the host. Start reading at Buckets.List.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"levada/internal/core/fault"
)

const (
	// listTime bounds one listing, however many pages it has.
	listTime = time.Minute
	// tries is how often one request is sent before it counts as failed.
	tries = 3
)

// Buckets reads buckets. Its methods may be called from any goroutine.
type Buckets struct {
	environ  map[string]string
	opening  sync.Mutex
	client   *minio.Client // made when it is first needed: most servers read no bucket
	listings listings
}

// New returns one that takes its settings from an environment, as the AWS command line does: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
// AWS_SESSION_TOKEN, AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and the files that AWS_CONFIG_FILE and
// AWS_SHARED_CREDENTIALS_FILE name. Nothing is read or connected to yet.
func New(environ []string) *Buckets {
	return &Buckets{environ: environment(environ)}
}

// open returns the client. Settings that cannot be used are read again the next time.
func (b *Buckets) open() (*minio.Client, error) {
	b.opening.Lock()
	defer b.opening.Unlock()
	if b.client != nil {
		return b.client, nil
	}
	s, err := b.settings()
	if err != nil {
		return nil, err
	}
	client, err := minio.New(s.host, &minio.Options{
		Creds: b.credentials(), Secure: s.secure, Region: s.region, BucketLookup: s.lookup, MaxRetries: tries,
	})
	if err != nil {
		return nil, fault.Invalidf("the client of buckets cannot be made: %w", err)
	}
	client.SetAppInfo("levada", "")
	b.client = client
	return client, nil
}

// explain says what is the matter with a request to a bucket. It names no key and no address that could hold one.
func (b *Buckets) explain(ctx context.Context, client *minio.Client, bucket string, err error) error {
	host := client.EndpointURL().Host
	var said minio.ErrorResponse
	if !errors.As(err, &said) {
		var request *url.Error
		if errors.As(err, &request) {
			err = request.Err // without the address
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fault.Unavailablef("the bucket %q at %s has not answered in time", bucket, host)
		}
		return fault.Unavailablef("the bucket %q at %s cannot be reached: %w", bucket, host, err)
	}
	switch {
	case said.Code == minio.NoSuchBucket:
		return fault.Invalidf("there is no bucket %q at %s", bucket, host)
	case said.StatusCode == http.StatusUnauthorized, said.StatusCode == http.StatusForbidden:
		return fault.Unavailablef("the bucket %q at %s refuses it: %s (%s); %s", bucket, host, fault.Shorten(said.Message, 200), said.Code, b.as())
	}
	return fault.Unavailablef("the bucket %q at %s: %s (%s, status %d)", bucket, host, fault.Shorten(said.Message, 200), said.Code, said.StatusCode)
}

// as says as whom buckets are asked, without any part of a secret.
func (b *Buckets) as() string {
	switch profile := b.environ["AWS_PROFILE"]; {
	case b.environ["AWS_ACCESS_KEY_ID"] != "" && b.environ["AWS_SECRET_ACCESS_KEY"] != "":
		return "it was asked with the key of AWS_ACCESS_KEY_ID"
	case profile != "":
		return fmt.Sprintf("it was asked with the profile %q", profile)
	}
	return "neither AWS_ACCESS_KEY_ID nor AWS_PROFILE is set where the server was started: it was asked with the default profile, the machine's role, or as nobody"
}
