// SPDX-License-Identifier: MIT
#include "base/sha256.h"

#include "base/os.h"

#include <doctest/doctest.h>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

using namespace vial;

namespace {

std::string hash_of(const std::string& content)
{
    Opened file = os::memfd("content");
    CHECK(os::write_all(file.value().get(), content).ok());
    return std::string(sha256(file.value().get()).value());
}

}  // namespace

TEST_CASE("SHA-256 of FIPS 180's own examples")
{
    CHECK(hash_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hash_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(hash_of(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 where the length just fits into the last block, and just does not; as sha256sum has them")
{
    CHECK(hash_of(std::string(55, 'x')) == "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072");
    CHECK(hash_of(std::string(56, 'x')) == "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e");
    CHECK(hash_of(std::string(64, 'x')) == "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c");
    CHECK(hash_of(std::string(16384, 'x')) == "1536c422c31cc98834759d7085cda394a3510a03d78188248986a6b1a7207d03");
    CHECK(hash_of(std::string(16384 + 63, 'x')) == "5dd0bcc82429e137db9f8dd0a77c7f4b3faeb6d0240979ab9d1955c2c8aea39d");
}

TEST_CASE("SHA-256 begins at the file's start, wherever its position is, and leaves that alone")
{
    Opened file = os::memfd("content");
    CHECK(os::write_all(file.value().get(), "abc").ok());
    CHECK(sha256(file.value().get()).value() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(::lseek(file.value().get(), 0, SEEK_CUR) == 3);
}

TEST_CASE("SHA-256 of a file that cannot be read is an error")
{
    Opened file = os::memfd("content");
    os::refuse([](long call) { return call == SYS_pread64 ? EIO : 0; });
    const auto hash = sha256(file.value().get());
    os::refuse(nullptr);
    CHECK(hash.number() == EIO);
}
