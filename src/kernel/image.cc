// SPDX-License-Identifier: MIT
#include "kernel/image.h"

#include "base/os.h"
#include "base/sha256.h"
#include "base/text.h"

#include <cstring>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef LOOP_CONFIGURE
#define LOOP_CONFIGURE 0x4C0A
struct loop_config {
    __u32 fd;
    __u32 block_size;
    loop_info64 info;
    __u64 __reserved[8];
};
#endif

namespace vial {

namespace {

struct Signature {
    const char* type;
    off_t offset;
    std::string_view magic;
};

constexpr Signature signatures[] = {
    {"squashfs", 0, std::string_view("hsqs", 4)},
    {"erofs", 1024, std::string_view("\xe2\xe1\xf5\xe0", 4)},
    {"ext4", 1080, std::string_view("\x53\xef", 2)},
};

constexpr int loop_major = 7;
constexpr int attempts = 64;  // others take free devices too, between the question and the claim

/// Opens /dev/loopN; where /dev has no such node (a bare /dev on a small system) one is made and removed again.
Result<Fd> open_loop(int number, int flags, Text& path)
{
    path = compose("/dev/loop%", number);
    Opened device = os::open(path.c_str(), flags);
    if (device.number() != ENOENT)
        return device;
    TRY(os::mknodat(AT_FDCWD, path.c_str(), S_IFBLK | 0600, makedev(loop_major, static_cast<unsigned>(number))));
    return os::open(path.c_str(), flags);
}

/// LOOP_CONFIGURE does both steps at once (5.8); before it the file is set first and its flags after.
Result<void> configure(const Fd& device, const Fd& image, bool read_only)
{
    loop_config config{};
    config.fd = static_cast<__u32>(image.get());
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? static_cast<__u32>(LO_FLAGS_READ_ONLY) : 0U);
    const auto at_once = os::ioctl(device.get(), LOOP_CONFIGURE, &config, "attach to a loop device"_p);
    const int why = at_once.number();
    if (at_once.ok())
        return {};
    if (why != EINVAL && why != ENOTTY && why != ENOSYS)
        return at_once.error();
    TRY(os::ioctl(device.get(), LOOP_SET_FD, static_cast<std::uint64_t>(image.get()), "attach to a loop device"_p));
    const auto status = os::ioctl(device.get(), LOOP_SET_STATUS64, &config.info, "set up the loop device"_p);
    if (!status.ok()) {
        (void)os::ioctl(device.get(), LOOP_CLR_FD, std::uint64_t{0}, "detach the loop device"_p);
        return status.error();
    }
    return {};
}

Result<Fd> attach_loop(const Fd& image, bool read_only, Text name, Text& node)
{
    Opened control = os::open("/dev/loop-control", O_RDWR);
    if (!control.ok())
        return control.error()
            .as("open /dev/loop-control for"_p, name)
            .advise("the kernel needs loop devices (CONFIG_BLK_DEV_LOOP)"_p);
    for (int attempt = 0; attempt < attempts; ++attempt) {
        const int number =
            TRY(os::ioctl(control.value().get(), LOOP_CTL_GET_FREE, std::uint64_t{0}, "find a free loop device"_p)
                    .as("find a free loop device for"_p, name));
        Fd device = TRY(open_loop(number, read_only ? O_RDONLY : O_RDWR, node));
        const auto configured = configure(device, image, read_only);
        if (configured.ok())
            return device;
        if (configured.number() != EBUSY)
            return Error(configured.number(), "attach to a loop device"_p, name);
    }
    return Error(EBUSY, "find a free loop device for"_p, name);
}

/// The filesystem on `device` as a detached mount.
Result<Fd> mount_detached(Text device, const char* type, bool read_only, unsigned flags)
{
    const Fd context = TRY(os::fsopen(type));
    TRY(os::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", device.c_str(), 0));
    if (read_only)
        TRY(os::fsconfig(context.get(), FSCONFIG_SET_FLAG, "ro", nullptr, 0));
    TRY(os::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0));
    return os::fsmount(context.get(), flags);
}

}  // namespace

Result<const char*> image_type(const Fd& image, Text path)
{
    for (const Signature& signature : signatures) {
        char found[4] = {};
        const std::size_t got = os::pread(image.get(), found, signature.magic.size(), signature.offset).value_or(0);
        if (std::string_view(found, got) == signature.magic)
            return signature.type;
    }
    return Error("no squashfs, erofs or ext4 image"_p, "use as a root filesystem"_p, path)
        .advise("give a directory, or an image made by mksquashfs, mkfs.erofs or mkfs.ext4"_p);
}

Result<Text> hash_image(const Fd& image, Text path, std::string_view expected)
{
    const Text found = concat("sha256:", TRY(sha256(image.get()).as("read", path)));
    if (!expected.empty() && found != expected)
        return Error(
            "", "",
            compose("cannot use % as a root filesystem: its hash should be %, and is %"_p, path, expected, found));
    return found;
}

Result<ImageRoot> open_image(Text path, std::string_view hash, bool read_only, unsigned flags)
{
    const Fd image = TRY(os::open(path.c_str(), read_only ? O_RDONLY : O_RDWR));
    if (!hash.empty())
        TRY(hash_image(image, path, hash));
    const char* type = TRY(image_type(image, path));

    ImageRoot root;
    Text device;
    root.loop = TRY(attach_loop(image, read_only, path, device));
    root.tree.flags = flags | (read_only ? MountReadOnly : 0U);
    root.tree.type = type;
    if (has_detached_mounts()) {
        Opened mounted = mount_detached(device, type, read_only, root.tree.flags);
        if (!mounted.ok()) {
            Error error = mounted.error();
            error.as("mount", path);
            if (error->number == ENODEV)
                error.because("this kernel does not have its filesystem"_p).advise("see /proc/filesystems"_p);
            else if (error->number == EINVAL || error->number == EUCLEAN || error->number == EIO)
                error.because("the image is damaged, or made with options this kernel does not know"_p);
            return error;
        }
        root.tree.kind = Tree::Kind::Detached;
        root.tree.fd = mounted.take();
        root.tree.path = path;
        mount_attr attributes{};
        attributes.propagation = MS_PRIVATE;
        TRY(os::mount_setattr(root.tree.fd.get(), "", AT_EMPTY_PATH, attributes).as("mount", path));
        return root;
    }
    root.tree.kind = Tree::Kind::Device;
    root.tree.path = device;
    return root;
}

}  // namespace vial
