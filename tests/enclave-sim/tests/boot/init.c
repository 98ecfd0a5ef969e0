/*
 * First process of the boot test. It asks the security module for a document and talks to its parent both ways:
 *   parent's port 7000   gets the module's response to an attestation request
 *   parent's port 7001   echoes 4 MiB
 *   parent's port 7999   nobody listens
 *   parent's port 7002   gets a report, one "name value" a line; by CID 2
 *   own port 5000        echoes what the first connection sends; then the machine reboots
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PARENT = 3, ANY_HOST = 2, BYTES = 4 << 20, WRITE = 256 << 10 };

struct nsm_message {
    uint64_t request, request_length, response, response_length;
};

static unsigned char pattern[BYTES];

static void fail(const char *what)
{
    printf("init: %s: %s\n", what, strerror(errno));
    sync();
    reboot(RB_AUTOBOOT);
    exit(1);
}

static long microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

/* One exchange with the module; the length of its response. */
static size_t ask(const void *request, size_t length, unsigned char *response, size_t room)
{
    int nsm = open("/dev/nsm", O_RDWR);
    if (nsm < 0)
        fail("/dev/nsm");
    struct nsm_message message = {(uintptr_t)request, length, (uintptr_t)response, room};
    if (ioctl(nsm, _IOWR(0x0A, 0, struct nsm_message), &message) != 0)
        fail("a request to the security module");
    close(nsm);
    return message.response_length;
}

static int dial(unsigned cid, unsigned port)
{
    struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
    int stream = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (stream < 0)
        fail("socket");
    if (connect(stream, (struct sockaddr *)&address, sizeof address) == 0)
        return stream;
    int error = errno;
    close(stream);
    errno = error;
    return -1;
}

/* One call a chunk: large ones reach the device as packets of many descriptors. */
static void write_all(int stream, const void *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(stream, bytes, length < WRITE ? length : WRITE);
        if (written <= 0)
            fail("write");
        bytes = (const char *)bytes + written;
        length -= written;
    }
}

/* Sends the pattern and compares what comes back; how many bytes came, and how many were wrong. */
static void exchange(int stream, long *came, long *wrong)
{
    static unsigned char buffer[WRITE];
    pid_t writer = fork();
    if (writer == 0) {
        write_all(stream, pattern, BYTES);
        shutdown(stream, SHUT_WR);
        _exit(0);
    }
    *came = *wrong = 0;
    for (;;) {
        ssize_t got = read(stream, buffer, sizeof buffer);
        if (got < 0)
            fail("read");
        if (got == 0)
            break;
        for (ssize_t at = 0; at < got; at++)
            *wrong += *came + at >= BYTES || buffer[at] != pattern[*came + at];
        *came += got;
    }
    waitpid(writer, NULL, 0);
}

static void attest(FILE *report)
{
    static unsigned char response[0x3000];
    /* {"ExtendPCR": {"index": 16, "data": h'616263'}}, {"LockPCR": {"index": 16}} */
    static const char extend[] = "\xa1\x69" "ExtendPCR" "\xa2\x65" "index" "\x10\x64" "data" "\x43" "abc";
    static const char lock[] = "\xa1\x67" "LockPCR" "\xa1\x65" "index" "\x10";
    /* {"Attestation": {"user_data": h'626f6f74', "nonce": null, "public_key": null}} */
    static const char attestation[] =
        "\xa1\x6b" "Attestation" "\xa3\x69" "user_data" "\x44" "boot" "\x65" "nonce" "\xf6\x6a" "public_key" "\xf6";
    ask(extend, sizeof extend - 1, response, sizeof response);
    ask(lock, sizeof lock - 1, response, sizeof response);
    long before = microseconds();
    size_t length = ask(attestation, sizeof attestation - 1, response, sizeof response);
    fprintf(report, "document_us %ld\n", microseconds() - before);
    int stream = dial(PARENT, 7000);
    if (stream < 0)
        fail("port 7000");
    write_all(stream, response, length);
    close(stream);
}

static void echo(FILE *report)
{
    long came, wrong, before = microseconds();
    int stream = dial(PARENT, 7001);
    if (stream < 0)
        fail("port 7001");
    exchange(stream, &came, &wrong);
    close(stream);
    fprintf(report, "echo_us %ld\necho_bytes %ld\necho_wrong %ld\n", microseconds() - before, came, wrong);
    before = microseconds();
    stream = dial(PARENT, 7999);
    fprintf(report, "refused_errno %d\nrefused_us %ld\n", stream < 0 ? errno : 0, microseconds() - before);
}

static void serve(void)
{
    static unsigned char buffer[WRITE];
    struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = 5000};
    int listener = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1) != 0)
        fail("port 5000");
    printf("init: listening\n");
    int stream = accept(listener, NULL, NULL);
    if (stream < 0)
        fail("accept");
    for (;;) {
        ssize_t got = read(stream, buffer, sizeof buffer);
        if (got < 0)
            fail("read");
        if (got == 0)
            break;
        write_all(stream, buffer, got);
    }
    shutdown(stream, SHUT_WR);
    /* Until the host has read all of it and closed the stream. */
    while (read(stream, buffer, sizeof buffer) > 0)
        ;
    close(stream);
}

int main(void)
{
    static char text[4096];
    setvbuf(stdout, NULL, _IONBF, 0);
    mkdir("/dev", 0755);
    if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) != 0)
        fail("/dev");
    for (size_t at = 0; at < BYTES; at++)
        pattern[at] = (at * 2654435761u) >> 24;
    FILE *report = fmemopen(text, sizeof text, "w");
    fprintf(report, "start_us %ld\n", microseconds());
    attest(report);
    echo(report);
    fclose(report);
    int stream = dial(ANY_HOST, 7002);
    if (stream < 0)
        fail("port 7002");
    write_all(stream, text, strlen(text));
    close(stream);
    serve();
    sync();
    reboot(RB_AUTOBOOT);
}
