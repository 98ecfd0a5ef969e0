//! The scripts by which a shell, or kubectl, asks what may come next.

use crate::arguments::Shell;
use crate::output::{Answer, Exit};

/// kubectl runs it for its plugin `chamber`.
const KUBECTL: &str = "#!/bin/sh
exec kubectl-chamber complete -- \"$@\"
";

/// Candidates come a line each, with a tab before what they are; the last line says whether files are meant, too.
const BASH: &str = "_kubectl_chamber() {
    local word about
    COMPREPLY=()
    while IFS=$'\\t' read -r word about; do
        case $word in
            :4) ;;
            :*) [ ${#COMPREPLY[@]} -gt 0 ] || compopt -o default 2>/dev/null ;;
            *) COMPREPLY+=(\"$word\") ;;
        esac
    done < <(kubectl-chamber complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)
}
complete -F _kubectl_chamber kubectl-chamber
";

/// The script.
pub fn run(shell: Shell) -> Answer {
    let text = match shell {
        Shell::Bash => BASH,
        Shell::Kubectl => KUBECTL,
    };
    Answer {
        text: text.to_owned(),
        exit: Exit::Clean,
    }
}
