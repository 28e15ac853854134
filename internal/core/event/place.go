package event

import (
	"path"
	"regexp"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// The default times between two looks at a place. A look at a bucket is a request that is paid for.
const (
	lookAtFiles  = 10 * time.Second
	lookAtBucket = time.Minute
)

// InBucket reports whether the place is in a bucket, and not on the machine of the server.
func (f FileSource) InBucket() bool { return strings.HasPrefix(f.Path, run.BucketScheme) }

// Poll is how often to look at the place.
func (f FileSource) Poll() time.Duration {
	if f.InBucket() {
		return orElse(f.PollSeconds, lookAtBucket)
	}
	return orElse(f.PollSeconds, lookAtFiles)
}

// bucketName is what Amazon S3 accepts as the name of a bucket, with the underscore that Google's may have too:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$`)

// CheckPlace refuses a place at which no file can appear: what is neither an absolute path nor in a bucket of S3, or a pattern that cannot
// be read.
func CheckPlace(place string) error {
	shown := fault.Shorten(place, 200)
	scheme, _, address := strings.Cut(place, "://")
	_, key, inBucket := run.BucketPath(place)
	if inBucket {
		if err := CheckBucket(place); err != nil {
			return err
		}
	}
	switch {
	case strings.ContainsRune(place, 0):
		return fault.Invalidf("%q has a NUL in it", shown)
	case address && scheme == "gs":
		return fault.Invalidf("%q: an address gs:// is not read. Google Cloud Storage speaks the protocol of S3: start the server with "+
			"AWS_ENDPOINT_URL_S3=https://storage.googleapis.com and an HMAC key in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and name s3://BUCKET", shown)
	case !inBucket && (address || !path.IsAbs(place)):
		return fault.Invalidf("%q; want an absolute path on the machine of the server, or s3://BUCKET/PREFIX", shown)
	}
	if !inBucket {
		key = place
	}
	if _, err := path.Match(key, ""); err != nil {
		return fault.Invalidf("%q: %v", shown, err)
	}
	return nil
}

// CheckBucket refuses an address s3:// at which nothing can be, whatever its key means.
func CheckBucket(address string) error {
	bucket, key, _ := run.BucketPath(address)
	switch shown := fault.Shorten(address, 200); {
	case !bucketName.MatchString(bucket):
		return fault.Invalidf("%q has no name of a bucket; want s3://BUCKET/PREFIX, s3://BUCKET/KEY or a pattern such as s3://BUCKET/day-*.csv", shown)
	case len(key) > 1024:
		return fault.Invalidf("%q has a key of %d bytes; at most 1024 are possible", shown, len(key))
	}
	return nil
}

// Directory is the part of a path, or of an address in a bucket, before its name.
func Directory(file string) string {
	bucket, key, inBucket := run.BucketPath(file)
	if !inBucket {
		return path.Dir(file)
	}
	if dir := path.Dir(key); dir != "." {
		bucket += "/" + dir
	}
	return run.BucketScheme + bucket
}
