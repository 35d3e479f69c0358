package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// checkShape compares a scenario's JSON with the Go types before it is decoded:
// encoding/json neither says where an unknown key stands nor minds a repeated
// one, and a scenario with two eu-west-1 would silently lose the first.
func checkShape(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	s := shape{dec: dec}
	if err := s.value(reflect.TypeFor[Scenario](), "scenario"); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("scenario: something follows the closing brace")
	}
	return errors.Join(s.errs...)
}

type shape struct {
	dec  *json.Decoder
	errs []error
}

func (s *shape) errorf(path, format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

// value reads the next JSON value and checks it against t. It returns an error
// only for text that is not JSON; everything else is collected.
func (s *shape) value(t reflect.Type, path string) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if decoder, ok := reflect.New(t).Interface().(json.Unmarshaler); ok {
		var raw json.RawMessage
		if err := s.dec.Decode(&raw); err != nil {
			return syntax(path, err)
		}
		if err := decoder.UnmarshalJSON(raw); err != nil {
			s.errorf(path, "%v", err)
		}
		return nil
	}
	token, err := s.dec.Token()
	if err != nil {
		return syntax(path, err)
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			return s.array(t, path)
		}
		return s.object(t, path)
	case string:
		if t.Kind() != reflect.String {
			s.errorf(path, "want %s, got the string %q", kindName(t), token)
		}
	case json.Number:
		if t.Kind() != reflect.Int {
			s.errorf(path, "want %s, got the number %s", kindName(t), token)
		} else if _, err := strconv.Atoi(token.String()); err != nil {
			s.errorf(path, "want a whole number, got %s", token)
		}
	default:
		s.errorf(path, "want %s, got %v", kindName(t), jsonWord(token))
	}
	return nil
}

func (s *shape) array(t reflect.Type, path string) error {
	if t.Kind() != reflect.Slice {
		s.errorf(path, "want %s, got a list", kindName(t))
		return s.skip(path)
	}
	for i := 0; s.dec.More(); i++ {
		if err := s.value(t.Elem(), fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	_, err := s.dec.Token()
	return syntax(path, err)
}

func (s *shape) object(t reflect.Type, path string) error {
	if t.Kind() != reflect.Struct && t.Kind() != reflect.Map {
		s.errorf(path, "want %s, got an object", kindName(t))
		return s.skip(path)
	}
	seen := map[string]bool{}
	for s.dec.More() {
		token, err := s.dec.Token()
		if err != nil {
			return syntax(path, err)
		}
		key, _ := token.(string)
		place := path + "." + key
		if seen[key] {
			s.errorf(place, "given twice")
		}
		seen[key] = true
		elem, known := member(t, key)
		if !known {
			s.errorf(place, "unknown key; known are %s", strings.Join(members(t), ", "))
			var ignored json.RawMessage
			if err := s.dec.Decode(&ignored); err != nil {
				return syntax(place, err)
			}
			continue
		}
		if err := s.value(elem, place); err != nil {
			return err
		}
	}
	_, err := s.dec.Token()
	return syntax(path, err)
}

// skip reads to the end of the list or object whose opening has been read.
func (s *shape) skip(path string) error {
	for depth := 1; depth > 0; {
		token, err := s.dec.Token()
		if err != nil {
			return syntax(path, err)
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
	return nil
}

func syntax(path string, err error) error {
	if err == nil {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%s: not JSON: %w", path, err)
}

func member(t reflect.Type, key string) (reflect.Type, bool) {
	if t.Kind() == reflect.Map {
		return t.Elem(), true
	}
	for i := range t.NumField() {
		if jsonName(t.Field(i)) == key {
			return t.Field(i).Type, true
		}
	}
	return nil, false
}

func members(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		names = append(names, jsonName(t.Field(i)))
	}
	return names
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Int:
		return "a number"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

func jsonWord(token json.Token) string {
	if token == nil {
		return "null"
	}
	return fmt.Sprint(token)
}

// compact is the JSON without its insignificant blanks.
func compact(b []byte) string {
	var out bytes.Buffer
	if json.Compact(&out, b) != nil {
		return string(b)
	}
	return out.String()
}
