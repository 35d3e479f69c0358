package sim

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// s3Service is the sliver of S3 that keeps objects: reading, conditional
// writing and listing. Buckets come from the scenario.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
var s3Service = service{
	protocol: restXML,
	prefix:   "s3",
	operations: map[string]operation{
		"GetObject": getObject, "PutObject": putObject, "ListObjectsV2": listObjects, "HeadObject": getObject,
	},
}

type object struct {
	data []byte
	etag string
}

// s3Route reads operation, bucket and key from a request, in path style or with
// the bucket in the host's name.
func s3Route(r *http.Request) (string, map[string]string) {
	path, _ := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/"))
	bucket, key := "", path
	if host, _, ok := strings.Cut(cmp.Or(r.Host, r.URL.Host), ".s3."); ok {
		bucket = host
	} else {
		bucket, key, _ = strings.Cut(path, "/")
	}
	in := map[string]string{"Bucket": bucket, "Key": key}
	switch {
	case r.Method == http.MethodGet && key == "" && r.URL.Query().Get("list-type") == "2":
		return "ListObjectsV2", in
	case r.Method == http.MethodGet && key != "":
		return "GetObject", in
	case r.Method == http.MethodHead && key != "":
		return "HeadObject", in
	case r.Method == http.MethodPut && key != "":
		return "PutObject", in
	}
	return "", in
}

func (c *call) bucket() (map[string]object, *apiError) {
	objects, ok := c.world.buckets[c.parameters["Bucket"]]
	if !ok {
		return nil, &apiError{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	}
	return objects, nil
}

func getObject(c *call) (any, *apiError) {
	objects, e := c.bucket()
	if e != nil {
		return nil, e
	}
	o, ok := objects[c.parameters["Key"]]
	if !ok {
		return nil, &apiError{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
	}
	rep := newReply(http.StatusOK, "application/json", o.data)
	rep.header.Set("ETag", o.etag)
	return rep, nil
}

func putObject(c *call) (any, *apiError) {
	objects, e := c.bucket()
	if e != nil {
		return nil, e
	}
	old, there := objects[c.parameters["Key"]]
	match, none := c.header.Get("If-Match"), c.header.Get("If-None-Match")
	switch {
	case match != "" && !there:
		return nil, &apiError{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
	case match != "" && match != old.etag, none == "*" && there:
		return nil, &apiError{http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"}
	case strings.Contains(c.header.Get("Content-Encoding"), "aws-chunked"):
		return nil, &apiError{http.StatusNotImplemented, "NotImplemented", "The simulated S3 does not read chunked bodies."}
	}
	sum := md5.Sum(c.body)
	o := object{slices.Clone(c.body), `"` + hex.EncodeToString(sum[:]) + `"`}
	objects[c.parameters["Key"]] = o
	rep := newReply(http.StatusOK, "application/xml", nil)
	rep.header.Set("ETag", o.etag)
	return rep, nil
}

type listedObject struct {
	Key  string
	ETag string
	Size int
}

func listObjects(c *call) (any, *apiError) {
	objects, e := c.bucket()
	if e != nil {
		return nil, e
	}
	prefix := c.query.Get("prefix")
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	part, next, ok := page(c, keys, func(k string) string { return k }, 1000, c.query.Get("continuation-token"), c.parameters["Bucket"], prefix)
	if !ok {
		return nil, &apiError{http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect"}
	}
	out := struct {
		XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
		Name, Prefix          string
		KeyCount              int
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []listedObject
	}{Name: c.parameters["Bucket"], Prefix: prefix, KeyCount: len(part), IsTruncated: next != "", NextContinuationToken: next}
	for _, key := range part {
		out.Contents = append(out.Contents, listedObject{key, objects[key].etag, len(objects[key].data)})
	}
	body, err := xml.Marshal(out)
	if err != nil {
		return nil, &apiError{http.StatusInternalServerError, "InternalError", err.Error()}
	}
	return newReply(http.StatusOK, "application/xml", append([]byte(xml.Header), body...)), nil
}

// s3Resource is the ARN that an access-denied text and a policy name.
func (c *call) s3Resource() string {
	resource := c.parameters["Bucket"]
	if c.operation != "ListObjectsV2" {
		resource += "/" + c.parameters["Key"]
	}
	return fmt.Sprintf("arn:%s:s3:::%s", c.world.partition.name, resource)
}

// Objects returns the keys and contents of a bucket.
func (w *World) Objects(bucket string) map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]string{}
	for key, o := range w.buckets[bucket] {
		out[key] = string(o.data)
	}
	return out
}

// SetObject writes an object behind the API's back.
func (w *World) SetObject(bucket, key, data string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.buckets[bucket] == nil {
		return fmt.Errorf("set object: no bucket %q", bucket)
	}
	sum := md5.Sum([]byte(data))
	w.buckets[bucket][key] = object{[]byte(data), `"` + hex.EncodeToString(sum[:]) + `"`}
	return nil
}
