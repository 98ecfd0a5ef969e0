// A workload that tries what it must not be able to do: each client gets one line of JSON that says what came of it.
package main

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// What an attempt says that failed by nothing.
const done = "done"

type report struct {
	UID       int               `json:"uid"`
	GID       int               `json:"gid"`
	Groups    []int             `json:"groups"`
	Status    map[string]string `json:"status"`
	CoreLimit uint64            `json:"coreLimit"`
	// Opening, writing and tracing: the words of the error.
	Tried map[string]string `json:"tried"`
	// Of a child that died by SIGABRT.
	Died   string `json:"died"`
	Dumped bool   `json:"dumped"`
	// Files that could be its memory.
	Cores []string `json:"cores"`
	// Users of the processes that it sees.
	Seen []int `json:"seen"`
}

func main() {
	if len(os.Args) > 1 {
		child(os.Args[1])
		return
	}
	pipe := os.NewFile(3, "key")
	if _, err := io.ReadFull(pipe, make([]byte, 32)); err != nil {
		os.Exit(1)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:9000")
	if err != nil {
		os.Exit(1)
	}
	go func() {
		for {
			if client, err := listener.Accept(); err == nil {
				json.NewEncoder(client).Encode(pry())
				client.Close()
			}
		}
	}()
	io.Copy(io.Discard, pipe) // The end of the pipe is the wish to end.
}

// A child of the workload: one that lives until its input ends, or one that dies.
func child(way string) {
	if way == "abort" {
		syscall.Kill(os.Getpid(), syscall.SIGABRT)
	}
	io.Copy(io.Discard, os.Stdin)
}

func pry() report {
	var limit syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_CORE, &limit)
	groups, _ := os.Getgroups()
	died, dumped := abort()
	told := report{
		UID: os.Getuid(), GID: os.Getgid(), Groups: groups,
		Status: status(), CoreLimit: limit.Max,
		Tried: map[string]string{
			"open /dev/nsm":         open("/dev/nsm", os.O_RDWR),
			"open /dev/mem":         open("/dev/mem", os.O_RDONLY),
			"write /":               open("/file", os.O_CREATE|os.O_WRONLY),
			"write /tmp":            open("/tmp/file", os.O_CREATE|os.O_WRONLY),
			"become root":           word(syscall.Setuid(0)),
			"trace the agent":       word(syscall.PtraceAttach(os.Getppid())),
			"trace PID 1":           word(syscall.PtraceAttach(1)),
			"read PID 1's memory":   open("/proc/1/mem", os.O_RDONLY),
			"look for PID 1":        open("/proc/1/status", os.O_RDONLY),
			"read the kernel's log": open("/dev/kmsg", os.O_RDONLY),
		},
		Died: died, Dumped: dumped, Seen: seen(),
	}
	told.Tried["trace its own child"], told.Tried["read its own child's memory"] = own()
	for _, pattern := range []string{"/core*", "/tmp/core*", "/proc/self/cwd/core*"} {
		found, _ := filepath.Glob(pattern)
		told.Cores = append(told.Cores, found...)
	}
	return told
}

func word(err error) string {
	if err == nil {
		return done
	}
	return err.Error()
}

func open(path string, flags int) string {
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return err.(*os.PathError).Err.Error()
	}
	file.Close()
	return done
}

// What plain rights would allow: one user's process traces another one of the same user.
func own() (trace, read string) {
	other := exec.Command("/proc/self/exe", "wait")
	input, err := other.StdinPipe()
	if err != nil {
		return err.Error(), err.Error()
	}
	if err := other.Start(); err != nil {
		return err.Error(), err.Error()
	}
	read = open("/proc/"+strconv.Itoa(other.Process.Pid)+"/mem", os.O_RDONLY)
	trace = word(syscall.PtraceAttach(other.Process.Pid))
	input.Close()
	other.Process.Kill()
	other.Wait()
	return trace, read
}

func abort() (how string, dumped bool) {
	other := exec.Command("/proc/self/exe", "abort")
	other.Dir = "/tmp"
	// So Go's runtime leaves the signal to the kernel.
	other.Env = []string{"GOTRACEBACK=crash"}
	other.Run()
	if other.ProcessState == nil {
		return "not started", false
	}
	status := other.ProcessState.Sys().(syscall.WaitStatus)
	return status.Signal().String(), status.CoreDump()
}

// Lines of the process's status that tell of rights.
func status() map[string]string {
	text, _ := os.ReadFile("/proc/self/status")
	lines := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		name, value, _ := strings.Cut(line, ":")
		if name == "CapEff" || name == "CapPrm" || name == "NoNewPrivs" {
			lines[name] = strings.TrimSpace(value)
		}
	}
	return lines
}

func seen() []int {
	users := []int{}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		if about, err := os.Stat(folder); err == nil {
			users = append(users, int(about.Sys().(*syscall.Stat_t).Uid))
		}
	}
	return users
}
