package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/history"
)

// maxPiece is the most bytes that are read of one piece: the state of a thousand accounts has some four million.
const maxPiece = 64 << 20

// Store keeps pieces where a setting says: s3://BUCKET/PREFIX, or a folder; nil for "".
func (s *Session) Store(location string) history.Blobs {
	switch {
	case location == "":
		return nil
	case strings.HasPrefix(location, "s3://"):
		return s.Bucket(location)
	default:
		return Folder(location)
	}
}

// ReadObject returns an object of S3, given as s3://BUCKET/KEY. Its error says what to do.
func (s *Session) ReadObject(ctx context.Context, url string) ([]byte, error) {
	i := strings.LastIndexByte(url, '/')
	data, _, err := s.Bucket(url[:i]).Get(ctx, url[i+1:])
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", url, err)
	}
	return data, nil
}

// Bucket keeps pieces in S3, in the bucket and under the prefix of s3://BUCKET/PREFIX. Writing is conditional, so that of two
// writers at once one is told.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (s *Session) Bucket(url string) history.Blobs {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(url, "s3://"), "/")
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return &bucketBlobs{session: s, bucket: bucket, prefix: prefix, region: s.cfg.Region}
}

type bucketBlobs struct {
	session        *Session
	bucket, prefix string
	region         string // of the bucket, once an answer has told
}

// call asks S3, a second time where the answer says that the bucket is in another region.
func (b *bucketBlobs) call(ctx context.Context, action string, ask func(context.Context, *s3.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, b.session.timeout)
	defer cancel()
	for range 2 {
		client := s3.NewFromConfig(b.session.cfg, func(o *s3.Options) {
			o.Region = b.region
			o.UsePathStyle = b.session.cfg.BaseEndpoint != nil // a host of one's own has no name for each bucket
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		})
		err := ask(ctx, client)
		var answer *smithyhttp.ResponseError
		if err == nil || !errors.As(err, &answer) {
			return b.wrap(ctx, action, err)
		}
		switch status := answer.HTTPStatusCode(); {
		case status == http.StatusMovedPermanently && answer.Response.Header.Get("X-Amz-Bucket-Region") != "":
			b.region = answer.Response.Header.Get("X-Amz-Bucket-Region")
			continue
		case status == http.StatusNotFound && strings.Contains(err.Error(), "NoSuchKey"):
			return history.ErrNone
		case status == http.StatusPreconditionFailed, status == http.StatusConflict:
			return history.ErrChanged
		}
		return b.wrap(ctx, action, err)
	}
	return fmt.Errorf("%s: the bucket %s has no region that answers", action, b.bucket)
}

func (b *bucketBlobs) wrap(ctx context.Context, action string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; check that the bucket %s exists, and that this role, the bucket's policy and its key allow %s", classify(ctx, err, action), b.bucket, action)
}

func (b *bucketBlobs) Get(ctx context.Context, name string) (data []byte, version string, err error) {
	err = b.call(ctx, "s3:GetObject", func(ctx context.Context, c *s3.Client) error {
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: aws.String(b.prefix + name)})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		version = aws.ToString(out.ETag)
		if data, err = io.ReadAll(io.LimitReader(out.Body, maxPiece+1)); err == nil && len(data) > maxPiece {
			err = fmt.Errorf("%w: %s has more than %d bytes", errMalformed, name, maxPiece)
		}
		return err
	})
	return data, version, err
}

func (b *bucketBlobs) Put(ctx context.Context, name string, data []byte, version string) error {
	err := b.call(ctx, "s3:PutObject", func(ctx context.Context, c *s3.Client) error {
		in := &s3.PutObjectInput{Bucket: &b.bucket, Key: aws.String(b.prefix + name), Body: bytes.NewReader(data), ContentType: aws.String("application/json")}
		if version == "" {
			in.IfNoneMatch = aws.String("*")
		} else {
			in.IfMatch = aws.String(version)
		}
		_, err := c.PutObject(ctx, in)
		return err
	})
	if errors.Is(err, history.ErrNone) { // what was to be written over is gone
		return history.ErrChanged
	}
	return err
}

func (b *bucketBlobs) List(ctx context.Context, prefix string) (names []string, err error) {
	err = b.call(ctx, "s3:ListBucket", func(ctx context.Context, c *s3.Client) error {
		names = nil
		pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: &b.bucket, Prefix: aws.String(b.prefix + prefix)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, object := range page.Contents {
				names = append(names, strings.TrimPrefix(aws.ToString(object.Key), b.prefix))
			}
		}
		return nil
	})
	return names, err
}
