// The subcommands of antiphon-bench. Each adds itself to the command line and runs when it was chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace antiphon::bench {

// Runs the command chosen and returns the exit status: 0, or 1 after a failure, which has been printed.
using Command = std::function<int()>;

// `app` is the subcommand's own; the Command is to be called after parsing, if the subcommand was.
Command AddTurnsCommand(CLI::App& app);
Command AddCapacityCommand(CLI::App& app);
Command AddInterruptionsCommand(CLI::App& app);
Command AddMovesCommand(CLI::App& app);
Command AddResumptionsCommand(CLI::App& app);
Command AddCodecCommand(CLI::App& app);
Command AddImageCodecCommand(CLI::App& app);
Command AddEngineCommand(CLI::App& app);
Command AddContextCommand(CLI::App& app);
Command AddLinearCommand(CLI::App& app);
Command AddDecodeCommand(CLI::App& app);
Command AddPrefillCommand(CLI::App& app);
Command AddAttentionCommand(CLI::App& app);

}  // namespace antiphon::bench
