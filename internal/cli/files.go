package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// writeNew writes a file that must not be there yet.
func writeNew(path string, text []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, fs.ErrExist) {
		return refusedf("%s is there already and stays as it is", path)
	}
	if err != nil {
		return unavailablef("%w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
		return unavailablef("%w", err)
	}
	return nil
}

// replaceFile puts text in the place of a file, which is the old one or the new
// one at every moment, whatever happens. Its mode and owner stay.
func replaceFile(path string, text []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return unavailablef("%w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return unavailablef("%w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return unavailablef("%w", err)
	}
	defer os.Remove(f.Name()) // it is gone already if all went well
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(info.Mode().Perm()), keepOwner(f, info), f.Sync(), f.Close()); err != nil {
		return unavailablef("%w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return unavailablef("%w", err)
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a new name durable, where the system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return unavailablef("%w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) {
		return unavailablef("%w", err)
	}
	return nil
}
