// SPDX-License-Identifier: MIT

/// What an errno means, in the words of the libc. Its own table is twice as large, and has none for EUCLEAN.

#include "base/text.h"

#include <algorithm>
#include <cerrno>

namespace vial {

namespace {

constexpr std::uint16_t numbers[] = {
    EPERM,           ENOENT,          ESRCH,        EINTR,        EIO,          ENXIO,       E2BIG,
    ENOEXEC,         EBADF,           ECHILD,       EAGAIN,       ENOMEM,       EACCES,      EFAULT,
    ENOTBLK,         EBUSY,           EEXIST,       EXDEV,        ENODEV,       ENOTDIR,     EISDIR,
    EINVAL,          ENFILE,          EMFILE,       ENOTTY,       ETXTBSY,      EFBIG,       ENOSPC,
    ESPIPE,          EROFS,           EMLINK,       EPIPE,        ERANGE,       EDEADLK,     ENAMETOOLONG,
    ENOLCK,          ENOSYS,          ENOTEMPTY,    ELOOP,        ENODATA,      ETIME,       EPROTO,
    EBADMSG,         EOVERFLOW,       EBADFD,       EILSEQ,       ENOTSOCK,     EMSGSIZE,    ENOPROTOOPT,
    EPROTONOSUPPORT, ESOCKTNOSUPPORT, EOPNOTSUPP,   EPFNOSUPPORT, EAFNOSUPPORT, EADDRINUSE,  EADDRNOTAVAIL,
    ENETDOWN,        ENETUNREACH,     ECONNABORTED, ECONNRESET,   ENOBUFS,      EISCONN,     ENOTCONN,
    ESHUTDOWN,       ETIMEDOUT,       ECONNREFUSED, EHOSTUNREACH, EALREADY,     EINPROGRESS, ESTALE,
    EUCLEAN,         EREMOTEIO,       EDQUOT,       ENOMEDIUM,    EMEDIUMTYPE,  ECANCELED,   ENOKEY,
    EKEYREJECTED,    ENOTRECOVERABLE,
};

/// In the same order.
constexpr Phrase meanings = "Operation not permitted|"
                            "No such file or directory|"
                            "No such process|"
                            "Interrupted system call|"
                            "I/O error|"
                            "No such device or address|"
                            "Argument list too long|"
                            "Exec format error|"
                            "Bad file descriptor|"
                            "No child process|"
                            "Resource temporarily unavailable|"
                            "Out of memory|"
                            "Permission denied|"
                            "Bad address|"
                            "Block device required|"
                            "Resource busy|"
                            "File exists|"
                            "Cross-device link|"
                            "No such device|"
                            "Not a directory|"
                            "Is a directory|"
                            "Invalid argument|"
                            "Too many open files in system|"
                            "No file descriptors available|"
                            "Not a tty|"
                            "Text file busy|"
                            "File too large|"
                            "No space left on device|"
                            "Invalid seek|"
                            "Read-only file system|"
                            "Too many links|"
                            "Broken pipe|"
                            "Result not representable|"
                            "Resource deadlock would occur|"
                            "Filename too long|"
                            "No locks available|"
                            "Function not implemented|"
                            "Directory not empty|"
                            "Symbolic link loop|"
                            "No data available|"
                            "Device timeout|"
                            "Protocol error|"
                            "Bad message|"
                            "Value too large for data type|"
                            "File descriptor in bad state|"
                            "Illegal byte sequence|"
                            "Not a socket|"
                            "Message too large|"
                            "Protocol not available|"
                            "Protocol not supported|"
                            "Socket type not supported|"
                            "Not supported|"
                            "Protocol family not supported|"
                            "Address family not supported by protocol|"
                            "Address in use|"
                            "Address not available|"
                            "Network is down|"
                            "Network unreachable|"
                            "Connection aborted|"
                            "Connection reset by peer|"
                            "No buffer space available|"
                            "Socket is connected|"
                            "Socket not connected|"
                            "Cannot send after socket shutdown|"
                            "Operation timed out|"
                            "Connection refused|"
                            "Host is unreachable|"
                            "Operation already in progress|"
                            "Operation in progress|"
                            "Stale file handle|"
                            "the filesystem is damaged|"
                            "Remote I/O error|"
                            "Quota exceeded|"
                            "No medium found|"
                            "Wrong medium type|"
                            "Operation canceled|"
                            "Required key not available|"
                            "Key was rejected by service|"
                            "State not recoverable"_p;

constexpr std::string_view kept = meanings.kept();
static_assert(std::count(kept.begin(), kept.end(), '|') + 1 == std::size(numbers));

}  // namespace

std::string_view error_words(int number, char (&scratch)[64])
{
    Writer words(scratch, sizeof scratch);
    std::string_view rest = kept;
    for (const int known : numbers) {
        const std::string_view meaning = take_until(rest, '|');
        if (known != number)
            continue;
        for (const char& letter : meaning)
            words.put(unpacked(letter));
        return words.text();
    }
    return words.compose("error ", number).text();
}

}  // namespace vial
