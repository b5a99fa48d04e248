# pint --offline lint --min-severity=info --fail-on=info rules

parser {
  include = ["rules/thresholds.yml", "rules/recording/.*", "rules/alerts/.*"]
}

checks {
  # Groups are read one evaluation late on purpose: thresholds and liveness are groups of their own.
  disabled = ["rule/dependency"]
}

# The rule that is recorded under this name holds the comparison.
rule {
  match {
    path = "rules/alerts/bottlenecks.yml"
  }
  match {
    name = "TweetbotAgentActsWhilePaused"
  }
  disable = ["alerts/comparison"]
}

# Always fires, on purpose.
rule {
  match {
    name = "Watchdog"
  }
  disable = ["alerts/comparison"]
}

# Prometheus itself puts the file and the group into one label.
rule {
  match {
    name = "TweetbotRuleEvaluationFailing"
  }
  disable = ["promql/regexp"]
}
