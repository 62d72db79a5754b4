package sqldb

import "syscall"

// networkFileSystem returns the kind of network file system dir lies on, or
// nothing: a local one, or one we cannot tell.
func networkFileSystem(dir string) string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return ""
	}
	return networkKinds[uint32(fs.Type)]
}

// networkKinds are magic numbers of statfs(2).
var networkKinds = map[uint32]string{
	0x6969:     "NFS",
	0x517b:     "SMB",
	0xff534d42: "CIFS",
	0xfe534d42: "SMB 2",
	0x5346414f: "AFS",
	0x00c36400: "Ceph",
	0x0bd00bd0: "Lustre",
}
