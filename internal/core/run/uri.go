package run

import "strings"

// LocalPath returns the path that the URI of an artifact names on the machine of the server; false for what is elsewhere. The path may
// be relative.
func LocalPath(uri string) (string, bool) {
	if rest, ok := strings.CutPrefix(uri, "file://"); ok {
		return rest, true
	}
	return uri, !strings.Contains(uri, "://")
}

// BucketScheme begins the addresses of objects in buckets: s3://BUCKET/KEY.
const BucketScheme = "s3://"

// BucketPath returns the bucket and the key that an address s3://BUCKET/KEY names, or the pattern for keys; false for what is elsewhere.
func BucketPath(uri string) (bucket, key string, ok bool) {
	rest, ok := strings.CutPrefix(uri, BucketScheme)
	bucket, key, _ = strings.Cut(rest, "/")
	return bucket, key, ok
}

// Fetched says what was brought from a bucket.
type Fetched struct {
	// URI is where it is: of a pattern that of the object that was chosen.
	URI string
	// Objects is how many there were, Size their bytes together.
	Objects int
	Size    int64
	// Tag is another one when the content is (Artifact.Tag).
	Tag string
}
