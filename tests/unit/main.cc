// SPDX-License-Identifier: MIT
//
// The one program of all unit tests. `build/tests/unit --test-case='*address*'` runs a part of them.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
