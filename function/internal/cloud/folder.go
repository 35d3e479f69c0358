package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/history"
)

// Folder keeps pieces as files, for the terminal. It makes the folder with the first piece.
func Folder(path string) history.Blobs { return folderBlobs{path} }

type folderBlobs struct{ root string }

func (f folderBlobs) file(name string) string { return filepath.Join(f.root, filepath.FromSlash(name)) }

func (f folderBlobs) Get(_ context.Context, name string) ([]byte, string, error) {
	data, err := os.ReadFile(f.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", history.ErrNone
	}
	return data, fingerprint(data), err
}

func fingerprint(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Put compares and writes while it holds a lock, and puts the new file in the old one's place as a whole.
func (f folderBlobs) Put(ctx context.Context, name string, data []byte, version string) error {
	path := f.file(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	_, now, err := f.Get(ctx, name)
	if err != nil && !errors.Is(err, history.ErrNone) {
		return err
	}
	if now != version {
		return history.ErrChanged
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// staleLock is how old a lock is that its holder must have left behind: a Put takes milliseconds.
const staleLock = time.Minute

// lock makes a file that only one can make, and waits for it up to five seconds.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	for range 100 {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			file.Close()
			return func() { os.Remove(path) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > staleLock {
			os.Remove(path)
			continue
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil, fmt.Errorf("%s: another run holds the store; if none is under way, remove that file", path)
}

func (f folderBlobs) List(_ context.Context, prefix string) ([]string, error) {
	var names []string
	within := filepath.Join(f.root, filepath.FromSlash(path.Dir(prefix+"x"))) // the deepest folder that may hold them
	err := filepath.WalkDir(within, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case entry.IsDir():
			return nil
		}
		relative, err := filepath.Rel(f.root, file)
		if name := filepath.ToSlash(relative); err == nil && strings.HasPrefix(name, prefix) && !strings.HasSuffix(name, ".lock") && !strings.HasSuffix(name, ".new") {
			names = append(names, name)
		}
		return err
	})
	slices.Sort(names)
	return names, err
}
