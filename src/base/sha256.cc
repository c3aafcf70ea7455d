// SPDX-License-Identifier: MIT
#include "base/sha256.h"

#include "base/os.h"

#include <bit>
#include <cstring>

namespace vial {

namespace {

constexpr std::size_t block_size = 64;
constexpr std::size_t length_at = block_size - sizeof(std::uint64_t);  ///< in the last block

/// The first 32 bits of the fractions of the cube roots of the first 64 primes.
constexpr std::uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

std::uint32_t mix(std::uint32_t word, int first, int second, std::uint32_t third)
{
    return std::rotr(word, first) ^ std::rotr(word, second) ^ third;
}

void add_block(std::uint32_t (&hash)[8], const unsigned char* block)
{
    std::uint32_t words[64];
    for (std::size_t at = 0; at < 64; ++at) {
        if (at < 16) {
            const unsigned char* bytes = block + 4 * at;
            words[at] =
                std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
            continue;
        }
        const std::uint32_t near = words[at - 2], far = words[at - 15];
        words[at] = words[at - 16] + mix(far, 7, 18, far >> 3) + words[at - 7] + mix(near, 17, 19, near >> 10);
    }
    std::uint32_t now[8];
    std::memcpy(now, hash, sizeof now);
    for (std::size_t at = 0; at < 64; ++at) {
        const auto [a, b, c, d, e, f, g, h] = now;
        const std::uint32_t first =
            h + mix(e, 6, 11, std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + constants[at] + words[at];
        const std::uint32_t second = mix(a, 2, 13, std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        std::memmove(now + 1, now, sizeof now - sizeof *now);
        now[4] += first;
        now[0] = first + second;
    }
    for (std::size_t at = 0; at < 8; ++at)
        hash[at] += now[at];
}

}  // namespace

Result<Text> sha256(int fd)
{
    // The same of the square roots of the first eight primes.
    std::uint32_t hash[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    unsigned char buffer[256 * block_size];
    std::size_t held = 0;  // bytes in the buffer that no block was made of yet
    std::uint64_t size = 0;
    while (const std::size_t got =
               TRY(os::pread(fd, buffer + held, sizeof buffer - held, static_cast<std::int64_t>(size)))) {
        size += got;
        held += got;
        std::size_t done = 0;
        for (; held - done >= block_size; done += block_size)
            add_block(hash, buffer + done);
        held -= done;
        std::memmove(buffer, buffer + done, held);
    }
    // A bit, and in the last eight bytes of a block how many bits there were.
    std::memset(buffer + held, 0, 2 * block_size);
    buffer[held] = 0x80;
    const std::size_t last = held < length_at ? 0 : block_size;
    for (std::size_t at = 0; at < sizeof size; ++at)
        buffer[last + block_size - 1 - at] = static_cast<unsigned char>(size * 8 >> 8 * at);
    for (std::size_t at = 0; at <= last; at += block_size)
        add_block(hash, buffer + at);
    Builder text;
    for (const std::uint32_t word : hash)
        for (int shift = 28; shift >= 0; shift -= 4)
            text += "0123456789abcdef"[word >> shift & 15];
    return Text(text);
}

}  // namespace vial
