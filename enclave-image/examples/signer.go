// A workload: answers each line with its HMAC-SHA-256 under the master key, in hex.
package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

func main() {
	address := "127.0.0.1:9000"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	pipe, key := os.NewFile(3, "key"), make([]byte, 32)
	if _, err := io.ReadFull(pipe, key); err != nil {
		os.Exit(1)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		os.Exit(1)
	}
	var end sync.RWMutex // Held for reading by each answer, so that the end waits for those that are being given.
	go func() {
		for {
			if client, err := listener.Accept(); err == nil {
				go answer(client, key, &end)
			}
		}
	}()
	io.Copy(io.Discard, pipe) // The end of the pipe is the wish to end.
	end.Lock()
}

func answer(client net.Conn, key []byte, end *sync.RWMutex) {
	defer client.Close()
	for lines := bufio.NewScanner(client); lines.Scan(); {
		end.RLock()
		mac := hmac.New(sha256.New, key)
		mac.Write(lines.Bytes())
		fmt.Fprintf(client, "%x\n", mac.Sum(nil))
		end.RUnlock()
	}
}
