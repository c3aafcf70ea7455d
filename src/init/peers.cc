// SPDX-License-Identifier: MIT
#include "init/peers.h"

#include "init/peer_program.h"

#ifndef VIAL_VERSION
#define VIAL_VERSION "unknown"
#endif

namespace vial {

const Peer own_name{"vial",
                    "vial: ",
                    {},
                    nullptr,
                    "this is not PID 1, and no subreaper: orphans will not come here (see --subreaper)"_p,
                    127,
                    126,
                    false,
                    false};

namespace {

constexpr PeerFlag tini_flags[] = {
    {nullptr, 's', PeerAct::Subreaper},  {nullptr, 'p', PeerAct::ParentDeath}, {nullptr, 'v', PeerAct::Verbose},
    {nullptr, 'w', PeerAct::TellReaped}, {nullptr, 'g', PeerAct::Group},       {nullptr, 'e', PeerAct::Remap},
    {nullptr, 'h', PeerAct::Help},       {nullptr, 'l', PeerAct::License},     {"version", 0, PeerAct::Version},
};
constexpr PeerFlag dumb_flags[] = {
    {"single-child", 'c', PeerAct::Single}, {"rewrite", 'r', PeerAct::Rewrite}, {"verbose", 'v', PeerAct::Debug},
    {"help", 'h', PeerAct::Help},           {"version", 'V', PeerAct::Version},
};
constexpr PeerFlag catatonit_flags[] = {
    {nullptr, 'g', PeerAct::Group},   {nullptr, 'P', PeerAct::Pause},     {nullptr, 'h', PeerAct::Help},
    {nullptr, 'L', PeerAct::License}, {"version", 'V', PeerAct::Version},
};
constexpr PeerFlag pause_flags[] = {{nullptr, 'v', PeerAct::Version}};

// Where tools and those projects' tests look, the texts are as the original's.

constexpr Phrase tini_help = R"(% (tini version 0.19.0)
Usage: % [OPTIONS] PROGRAM -- [ARGS] | --version

Execute a program under the supervision of a valid init process.

  --version: Show version and exit.
  -h: Show this help message and exit.
  -s: Register as a process subreaper.
  -p SIGNAL: Trigger SIGNAL when parent dies, e.g. "-p SIGKILL".
  -v: Generate more verbose output. Repeat up to 3 times.
  -w: Print a warning when processes are getting reaped.
  -g: Send signals to the child's process group.
  -e EXIT_CODE: Remap EXIT_CODE (from 0 to 255) to 0.
  -l: Show license and exit.

Environment: TINI_SUBREAPER (-s), TINI_KILL_PROCESS_GROUP (-g), TINI_VERBOSITY (0 to 4, default 1)
)"_p;
constexpr Phrase dumb_help = R"(dumb-init v1.2.5
Usage: % [option] command [[arg] ...]

dumb-init is a simple process supervisor that forwards signals to children.
It is designed to run as PID1 in minimal container environments.

Optional arguments:
   -c, --single-child   Run in single-child mode.
                        In this mode, signals are only proxied to the
                        direct child and not any of its descendants.
   -r, --rewrite s:r    Rewrite received signal s to new signal r before proxying.
                        To ignore (not proxy) a signal, rewrite it to 0.
                        This option can be specified multiple times.
   -v, --verbose        Print debugging information to stderr.
   -h, --help           Print this help message and exit.
   -V, --version        Print the current version and exit.

Full help is available online at https://github.com/Yelp/dumb-init
)"_p;
constexpr Phrase dumb_no_command = "Usage: % [option] program [args]\nTry % --help for full usage.\n"_p;
constexpr Phrase catatonit_usage = "usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]\n"_p;
constexpr Phrase catatonit_help = R"(usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]

options:
  -g              Forward signals to pid1's process group.
  -h              Print this help page.
  -L              Print license information.
  -P              Run in pause mode (no program is run and quit on SIGINT).
  -V, --version   Print version information.
)"_p;

#define IN_PLACE " - vial " VIAL_VERSION "\n"

}  // namespace

constinit const PeerProgram peer_programs[] = {
    {{"tini",
      "[% tini (%)] ",
      {"FATAL", "WARN ", "INFO ", "DEBUG"},
      "exec $ failed: %",
      "Tini is not running as PID 1 and isn't registered as a child subreaper.\n"
      "Zombie processes will not be re-parented to Tini, so zombie reaping won't work.\n"
      "To fix the problem, use the -s option or set the environment variable TINI_SUBREAPER to register Tini as a "
      "child "
      "subreaper, or run Tini as PID 1."_p,
      127,
      126,
      true,
      false},
     tini_flags,
     false,
     "tini version 0.19.0" IN_PLACE,
     tini_help,
     nullptr,
     tini_help},
    {{"dumb-init", "[dumb-init] ", {}, "$: %", nullptr, 2, 2, true, true},
     dumb_flags,
     true,
     "dumb-init v1.2.5\n",
     dumb_help,
     dumb_no_command,
     ""},
    {{"catatonit",
      "% (catatonit:%): ",
      {"ERROR", "WARN", "INFO", "DEBUG"},
      "failed to exec pid1: %",
      nullptr,
      1,
      1,
      true,
      false},
     catatonit_flags,
     false,
     "tini version 0.1.7_catatonit" IN_PLACE,
     catatonit_help,
     catatonit_usage,
     catatonit_usage},
    {{"pause", "", {}, nullptr, "Warning: pause should be the first process"_p, 127, 126, false, false},
     pause_flags,
     false,
     "pause.c 3.10" IN_PLACE,
     "",
     "",
     ""},
};

bool is_peer_name(std::string_view program)
{
    for (const std::string_view name : {"tini", "docker-init", "tini-static", "dumb-init", "catatonit", "pause"})
        if (program == name)
            return true;
    return false;
}

const Peer* find_peer(std::string_view program)
{
    if (program == "docker-init" || program == "tini-static")
        program = "tini";
    for (const PeerProgram& each : peer_programs) {
        if (program == each.peer.name)
            return &each.peer;
    }
    return nullptr;
}

}  // namespace vial
