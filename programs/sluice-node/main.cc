// sluice-node: hooks the interfaces of a node's pods to sluiced.
#include "sluice-node/settings.h"

int main(int argc, char** argv) {
  sluice::NodeSettings settings;
  if (const auto code = sluice::ReadCommandLine(argc, argv, settings)) return *code;
  switch (settings.command) {
    case sluice::Command::kStatus:
      return sluice::ShowStatus(settings);
    case sluice::Command::kCheck:
      return sluice::Check(settings);
    case sluice::Command::kRemove:
      return sluice::Remove(settings);
    case sluice::Command::kRun:
      break;
  }
  return sluice::Run(settings);
}
