# Reference values for tests/evaluation/centers/test_heterogeneity.py. Run in this folder: Rscript golden.R
# metafor stops REML when tau2 moves by less than 1e-5, coarse beside variances of AUCs: the threshold is lowered.
suppressPackageStartupMessages(library(metafor))
set.seed(20250301)
options(digits = 17)
save_csv <- function(frame, file) write.csv(format(frame, digits = 17, trim = TRUE), file, row.names = FALSE, quote = FALSE)

# ---- centers: AUCs with standard errors, and differences ------------------------------------------------------
center_set <- function(name, kind, estimate, se)
  data.frame(set = name, kind = kind, center = paste0("c", seq_along(estimate)), estimate = estimate, se = se)
centers <- rbind(
  center_set("mixed", "area", c(.91, .84, .78, .88, .69, .95), c(.021, .035, .044, .012, .06, .018)),
  center_set("alike", "area", c(.85, .86, .84, .855), c(.03, .04, .05, .02)),
  center_set("tied", "area", c(.8, .8, .9, .9, .9), c(.02, .02, .03, .03, .02)),
  center_set("imbalanced", "area", c(.88, .6, .97), c(.004, .15, .02)),
  center_set("two", "area", c(.72, .93), c(.03, .02)),
  center_set("many", "area", plogis(rnorm(12, 1.6, .5)), runif(12, .01, .07)),
  center_set("differences", "difference", c(.03, -.01, .052, .004, -.02), c(.012, .02, .015, .009, .03)),
  center_set("opposed", "difference", c(.2, -.2), c(.01, .01)))
save_csv(centers, "centers.csv")

# ---- every variant on every set, AUCs also as logits -----------------------------------------------------------
control <- list(threshold = 1e-15, maxiter = 100000)
fit <- function(y, se, tau, test)
  rma(yi = y, sei = se, method = c("dersimonian-laird" = "DL", reml = "REML")[[tau]],
    test = c(normal = "z", "hartung-knapp" = "knha")[[test]], control = if (tau == "reml") control else list())
row_of <- function(set, scale, tau, test, y, se, null, back) {
  model <- fit(y, se, tau, test); against <- fit(y - null, se, tau, test); new <- predict(model)
  data.frame(set = set, scale = scale, tau = tau, test = test, estimate = back(as.numeric(model$beta)), se = model$se,
    low = back(model$ci.lb), high = back(model$ci.ub), statistic = against$zval, p = against$pval, tau2 = model$tau2,
    i2 = model$I2 / 100, q = model$QE, q_p = model$QEp, prediction_low = back(new$pi.lb), prediction_high = back(new$pi.ub))
}
pooled <- NULL
for (part in split(centers, factor(centers$set, unique(centers$set)))) for (tau in c("dersimonian-laird", "reml")) for (test in c("normal", "hartung-knapp")) {
  y <- part$estimate; area <- part$kind[1] == "area"
  pooled <- rbind(pooled, row_of(part$set[1], "raw", tau, test, y, part$se, if (area) .5 else 0, identity))
  if (area) pooled <- rbind(pooled, row_of(part$set[1], "logit", tau, test, qlogis(y), part$se / (y * (1 - y)), 0, plogis))
}
save_csv(pooled, "pooled.csv")

# ---- leave one out ---------------------------------------------------------------------------------------------
one <- centers[centers$set == "differences", ]
without <- leave1out(fit(one$estimate, one$se, "reml", "hartung-knapp"))
save_csv(data.frame(center = one$center, estimate = without$estimate, se = without$se, low = without$ci.lb,
  high = without$ci.ub, p = without$pval, tau2 = without$tau2, q = without$Q), "leave_one_out.csv")

writeLines(c(R.version.string, paste("metafor", packageVersion("metafor"))), "versions.txt")
